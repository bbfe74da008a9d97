"""Matched parameters: those that a matching compares. All others add a constant to the objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast._arrays.derived import described_by
from rebasin_fast._arrays.interface import is_complex
from rebasin_fast.errors import ParamsError
from rebasin_fast.specs.axis import Entry

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Params


def matched_parameters(spec: PermutationSpec, models: Sequence[Params]) -> list[str]:
    """The parameters of the objective, in the spec's order.

    These are floating-point or complex in one of the models, moved on some axis, in all models, and not in
    ``spec.unmatched``. Parameters that no permutation moves (the last bias, position tables, masks) and those that hold
    no floating-point numbers (counters, codes) are constants: they stay out of the objective, of tolerances, and of
    checks for NaN.
    """
    described = [described_by(model) for model in models]
    return [
        name
        for name in moved_parameters(spec)
        if all(name in model for model in described) and _is_weight(*(model[name] for model in described))
    ]


def moved_parameters(spec: PermutationSpec) -> list[str]:
    """Those that some permutation moves and that are not in ``spec.unmatched``, in the spec's order."""
    moved = {name for places in spec.perm_to_axes.values() for name, _ in places}
    return [name for name in spec.axes_to_perm if name in moved and name not in spec.unmatched]


def _is_weight(*arrays: Array) -> bool:
    """Whether one of a parameter's arrays holds something else than integers and booleans."""
    kinds = (library_of(array).dtype_name(array) for array in arrays)
    return any(not kind.startswith(("int", "uint", "bool")) for kind in kinds)


def refuse_integers_alone(spec: PermutationSpec, matched: Sequence[object], models: Sequence[Params]) -> None:
    """ParamsError where the spec moves parameters of the models, and ``matched``, those to compare, is empty."""
    if matched:
        return
    for name in moved_parameters(spec):
        if all(name in model for model in models):
            kind = library_of(models[0][name]).dtype_name(models[0][name])
            raise ParamsError(
                f"nothing can be matched: no parameter that the spec moves is of floating point ({name!r} is {kind}). "
                "Integers are taken for counters, masks or codes; convert weights to float32 first, quantised ones "
                "with their scales"
            )


def refuse_complex_beside_real(name: str, a: Array, b: Array) -> None:
    """ParamsError where one model's parameter is complex and the other's is not."""
    is_a, is_b = (is_complex(library_of(array).dtype_name(array)) for array in (a, b))
    if is_a != is_b:
        raise ParamsError(
            f"parameter {name!r} is complex in {'A' if is_a else 'B'} and real in the other model; give both in one "
            "kind of numbers"
        )


def real_view(host: NDArray[Any]) -> NDArray[Any]:
    """Complex numbers as pairs of real ones on a further axis, without a copy where their axis is contiguous.

    The inner product of these is Re <a, b>, of which distances of complex weights consist.
    """
    if host.dtype.kind != "c":
        return host
    kind = np.result_type(host.dtype, np.complex64)
    pairs: NDArray[Any] = np.ascontiguousarray(host.astype(kind, copy=False)).view(np.finfo(kind).dtype)
    return pairs.reshape(*host.shape, 2)


def real_entries(entries: Sequence[Entry], array: Array) -> tuple[Entry, ...]:
    """The axis entries of ``array`` as :func:`real_view` shapes it."""
    complex_numbers = is_complex(library_of(array).dtype_name(array))
    return (*entries, None) if complex_numbers else tuple(entries)
