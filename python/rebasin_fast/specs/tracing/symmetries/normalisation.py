"""Laws of norms."""

from __future__ import annotations

from rebasin_fast.specs.symmetry import NormKind
from rebasin_fast.specs.tracing.symmetries.functions import IDENTITY
from rebasin_fast.specs.tracing.symmetries.handlers import Operation, law
from rebasin_fast.specs.tracing.symmetries.laws import Law, Unknown


@law("batch_norm cudnn_batch_norm native_batch_norm _native_batch_norm_legit_no_training")
def batch_norm(operation: Operation) -> None:
    """Signs pass with the mean; scales end before (by epsilon) and begin with gain and bias."""
    laws, result, reason = operation.laws, operation.result, operation.reason
    value = operation.argument("input", "self")
    if value is None or operation.call["training"]:
        operation.give_up()
        return
    for number, copies in laws.ports(result).items():
        law_ = laws.of[number]
        law_.bar(reason)
        parts = {
            name: laws.unknowns(found, number)
            for name in ("weight", "bias", "running_mean", "running_var")
            if (found := operation.argument(name)) is not None
        }
        before = laws.unknowns(value, number)
        if any(len(own) != len(copies) for own in (before, *parts.values())):
            laws.drop(number, reason)
            continue
        for i, z in enumerate(laws.unknowns(result, number)):
            _channel(law_, before[i], z, {name: own[i] for name, own in parts.items()})
    operation.norms.used(laws, value, reason)


def _channel(law_: Law, x: Unknown, z: Unknown, parts: dict[str, Unknown]) -> None:
    gain, bias = parts.get("weight"), parts.get("bias")
    law_.scales.zero(x)
    for name, sign in (("running_mean", 1), ("running_var", 0)):
        if name in parts:
            law_.scales.zero(parts[name])
            law_.signs.total({parts[name]: 1, x: sign})
    law_.signs.total({z: 1, x: 1, gain: 1} if gain is not None else {z: 1, x: 1})
    if gain is None:
        law_.scales.zero(z)
    else:
        law_.scales.equal(z, gain)
    for equations in (law_.signs, law_.scales) if bias is not None else ():
        equations.equal(z, bias)


@law("layer_norm rms_norm native_layer_norm _fused_rms_norm")
def over_units(operation: Operation) -> None:
    """A norm of the units of one class as a whole; anything else is held still."""
    laws, value, result = operation.laws, operation.argument("input"), operation.result
    kind: NormKind = "layer" if "layer" in operation.name else "rms"
    if value is None or len(operation.executed.results) > 1:
        operation.give_up()
        return
    gain, bias = operation.argument("weight"), operation.argument("bias")
    normed = range(len(value.value.shape) - len(operation.call["normalized_shape"]), len(value.value.shape))
    given = laws.ports(value)
    for number, ports in given.items():
        on_last = len(ports) == 1 and ports[0].axes == (len(value.value.shape) - 1,) and len(normed) == 1
        if on_last and len(laws.ports(result).get(number, ())) == 1 and len(given) == 1:
            _normed(operation, number, kind)
        else:
            laws.give_up(operation.all(), operation.reason)
            return
    operation.norms.used(laws, value, operation.reason)
    if len(given) == 1:
        (number,) = given
        names = [operation.norms.name_of(part) for part in (gain, bias)]
        if any(part is not None and name is None for part, name in zip((gain, bias), names, strict=True)):
            laws.give_up(operation.all(), operation.reason)
        operation.norms.layer(number, result, kind, *names)


def _normed(operation: Operation, number: int, kind: NormKind) -> None:
    laws, reason = operation.laws, operation.reason
    law_ = laws.of[number]
    value, gain, bias = operation.argument("input"), operation.argument("weight"), operation.argument("bias")
    if value is None:
        return
    (x,), (z,) = laws.unknowns(value, number), laws.unknowns(operation.result, number)
    parts = [laws.unknowns(part, number) for part in (gain, bias) if part is not None]
    if any(len(own) != 1 for own in parts):
        laws.drop(number, reason)
        return
    law_.matrices.equal(x, z)
    law_.no_scales((x, z, *(own[0] for own in parts)))
    if kind == "layer":  # the mean is no function of unsigned units
        law_.no_signs((x, z, *(own[0] for own in parts)))
    else:
        law_.signs.total({z: 1, x: 1, **({laws.unknowns(gain, number)[0]: 1} if gain is not None else {})})
        for own in [laws.unknowns(bias, number)] if bias is not None else []:
            law_.signs.equal(z, own[0])
    if bias is not None:
        law_.function(laws.unknowns(bias, number)[0], z, IDENTITY, reason)
