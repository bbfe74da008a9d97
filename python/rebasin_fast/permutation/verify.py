"""Proof by trial that a permutation spec leaves a model's function as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._models.inference import check_model, import_torch, uncompiled
from rebasin_fast._models.wide_copy import wide_copy
from rebasin_fast._models.widening import widened, without_noise
from rebasin_fast.errors import SpecError
from rebasin_fast.permutation.apply import apply_permutation, identity_permutation, random_permutation
from rebasin_fast.permutation.shortened import shortened

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation

Index = NDArray[np.int64]

# Outputs of a float64 copy agree to about 1e-13 where the spec is right.
TOLERANCE = 1e-9


def verify_spec(spec: PermutationSpec, model: Any, example_inputs: Any, *, rng: int = 0) -> None:
    """Check that permuting the units of ``model`` by ``spec`` changes none of its outputs.

    Parameters
    ----------
    spec : PermutationSpec
        Must name every entry of the model's ``state_dict``.
    model : torch.nn.Module
        Not changed. The trial runs on a float64 copy in eval mode whose parameters and buffers are random
        (buffers positive, for variances): zero biases, unit scales and layer scales of 1e-6 would hide
        missing entries. Where a model draws noise (a variational autoencoder), the same number is drawn everywhere.
    example_inputs : tensor, tuple, or mapping
        One positional argument, several, or keyword arguments; floating-point tensors are widened.
    rng : int
        Seed of the parameters and permutations.

    Raises
    ------
    SpecError
        The spec does not fit the model, or outputs change by more than 1e-9 of their largest magnitude; the
        message names the permutations at fault and the parameters they move.

    Notes
    -----
    About 2 log2(k) forward passes for k permutations, and 2 k more if some disagree. Axes of inputs longer than 1024
    are cut to an eighth of their length where the model takes that and no parameter is as long. The permutations tried
    generate all others of each name, and of any two names one moves without the other.
    """
    trial = Trial(model, example_inputs, np.random.default_rng(rng))
    spec.validate(trial.params)
    sizes = spec.sizes(trial.params)
    identity = identity_permutation(spec, sizes)
    generators = _generators(spec, sizes, trial.rng)
    change = max(
        trial.change_under(spec, chosen) for drawn in generators for chosen in _halves(drawn, identity)
    )
    if change <= TOLERANCE:
        return
    culprits = {}
    for name in spec.permutations:
        alone = max(trial.change_under(spec, {**identity, name: drawn[name]}) for drawn in generators)
        if alone > TOLERANCE:
            culprits[name] = alone
    raise SpecError(_describe(spec, culprits, change))


def _generators(
    spec: PermutationSpec, sizes: Mapping[str, int], rng: np.random.Generator
) -> tuple[dict[str, Index], dict[str, Index]]:
    """A random cycle through all units of each permutation, and the swap of two neighbours on that cycle.

    The two generate every permutation: what both leave alone is left alone by all. A single uniform draw proves
    less; it may be the identity on few units, or commute with a mistake.
    """
    orders = random_permutation(spec, sizes, rng)
    return (
        {name: _send(order, np.roll(order, 1, axis=-1)) for name, order in orders.items()},
        {name: _send(order, _first_two_swapped(order)) for name, order in orders.items()},
    )


def _send(order: Index, target: Index) -> Index:
    index = np.empty_like(order)
    np.put_along_axis(index, order, target, axis=-1)
    return index


def _first_two_swapped(order: Index) -> Index:
    swapped: Index = order.copy()
    swapped[..., :2] = order[..., 1::-1] if order.shape[-1] > 1 else order
    return swapped


def _halves(drawn: dict[str, Index], identity: dict[str, Index]) -> Iterator[dict[str, Index]]:
    """All permutations together, then halves of them: of any two, one moves without the other at some time.

    Two permutations of few units may be drawn equal, which would hide an entry that names one for the other.
    """
    yield drawn
    for digit in range((len(drawn) - 1).bit_length()):
        yield {
            name: index if number >> digit & 1 else identity[name]
            for number, (name, index) in enumerate(drawn.items())
        }


def _describe(spec: PermutationSpec, culprits: Mapping[str, float], change: float) -> str:
    if not culprits:
        return (
            f"the spec changes the function of the model: its outputs move by {change:.2g} of their magnitude when "
            "all permutations act together, though each alone preserves them"
        )
    worst = max(culprits, key=lambda name: culprits[name])
    places = ", ".join(f"{parameter} axis {axis}" for parameter, axis in spec.perm_to_axes[worst])
    others = [name for name in culprits if name != worst]
    return (
        f"permutation {worst!r} changes the function of the model: its outputs move by {culprits[worst]:.2g} of "
        f"their magnitude (allowed {TOLERANCE:g}). It moves {places}: one of these is wrong, or an axis "
        "that carries the same units is missing"
        + (f". Also at fault: {', '.join(map(repr, others))}" if others else "")
    )


class Trial:
    """A randomised float64 copy of a model, its inputs, and its reference outputs."""

    def __init__(self, model: Any, example_inputs: Any, rng: np.random.Generator) -> None:
        self._torch = import_torch("verify")
        check_model(model, "model")
        self.rng = rng
        self._model = wide_copy(model)
        self._args, self._kwargs = self._widened_inputs(example_inputs)
        self._randomise()
        self._forget()
        state = self._model.state_dict()
        self._versions = getattr(state, "_metadata", None)  # some modules refuse states of unknown version
        self.params: Params = {name: tensor.clone() for name, tensor in state.items()}
        self._ties = _tied_names(self._model)
        self._noisy = False
        self._reference = self._first_outputs()
        if self._relative_change(self._outputs()) > 0.0:
            self._noisy = True
            self._reference = self._outputs()
        if self._noisy and self._relative_change(self._outputs()) > 0.0:
            raise SpecError(
                "the model gives different outputs for the same inputs in eval mode, not because of continuous noise "
                "alone; nothing can be verified"
            )

    def change_under(self, spec: PermutationSpec, permutation: Permutation) -> float:
        """Largest change of an output relative to its magnitude, when ``permutation`` acts on the parameters."""
        return self.change_with(apply_permutation(spec, permutation, self.params))

    def change_with(self, moved: Params) -> float:
        """Largest change of an output relative to its magnitude, with ``moved`` in place of the parameters."""
        self._refuse_torn_ties(moved)
        self._load(moved)
        return self._relative_change(self._outputs())

    def _refuse_torn_ties(self, moved: Params) -> None:
        """Names that share one tensor must move alike: a checkpoint that holds both would contradict itself."""
        for first, second in self._ties:
            if not self._torch.equal(moved[first], moved[second]):
                raise SpecError(
                    f"parameters {first!r} and {second!r} are one tensor in the model, and the spec moves them apart; "
                    "give them the same entries"
                )

    def _load(self, params: Params) -> None:
        state = OrderedDict(params)
        state._metadata = self._versions  # type: ignore[attr-defined]
        self._model.load_state_dict(state)
        self._forget()

    def _forget(self) -> None:
        """Networks that keep what they computed from parameters in eval mode drop it when they begin to train."""
        self._model.train()
        self._model.eval()

    def _first_outputs(self) -> list[Any]:
        """Outputs for inputs as short as the model takes: every trial runs on them again."""
        lengths = {size for tensor in self.params.values() for size in tensor.shape}
        given = self._args, self._kwargs
        for self._args, self._kwargs in shortened(given, lengths):
            try:
                outputs = self._outputs()
            except Exception:  # whatever a model says to a length that it was not made for
                continue
            if all(output.numel() for output in outputs):
                return outputs
        self._args, self._kwargs = given
        return self._outputs()

    def _outputs(self) -> list[Any]:
        from torch.utils._pytree import tree_flatten

        noise = without_noise() if self._noisy else nullcontext()
        with self._torch.no_grad(), uncompiled(self._model), widened(), noise:
            leaves, _ = tree_flatten(self._model(*self._args, **self._kwargs))
        outputs = [leaf for leaf in leaves if isinstance(leaf, self._torch.Tensor)]
        if not outputs:
            raise SpecError("the model returns no tensor; nothing can be verified")
        for output in outputs:
            if not self._torch.isfinite(output).all():
                raise SpecError("the randomised model overflows to NaN or infinity; nothing can be verified")
        return outputs

    def _relative_change(self, outputs: list[Any]) -> float:
        worst = 0.0
        for expected, found in zip(self._reference, outputs, strict=True):
            if expected.numel() == 0:
                continue
            if not (expected.is_floating_point() or expected.is_complex()):
                worst = max(worst, float((expected != found).any()))
                continue
            magnitude = float(expected.abs().max())
            difference = float((expected - found).abs().max())
            worst = max(worst, difference / magnitude if magnitude else float(difference > 0.0))
        return worst

    def _randomise(self) -> None:
        trainable = {id(parameter) for parameter in self._model.parameters()}
        with self._torch.no_grad():
            for tensor in self._model.state_dict(keep_vars=True).values():
                if not (tensor.is_floating_point() or tensor.is_complex()):
                    continue
                shape = tuple(tensor.shape)
                if id(tensor) in trainable and len(shape) > 1:
                    fan_in = int(np.prod(shape[1:]))
                    values = self.rng.standard_normal(shape) * np.sqrt(2.0 / max(fan_in, 1))
                else:
                    values = self.rng.uniform(0.5, 1.5, shape)
                if tensor.is_complex():
                    values = values * np.exp(1j * self.rng.uniform(0.0, 2.0 * np.pi, shape))
                tensor.copy_(self._torch.as_tensor(values))

    def _widened_inputs(self, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        from torch.utils._pytree import tree_map

        def widen(leaf: Any) -> Any:
            if not isinstance(leaf, self._torch.Tensor):
                return leaf
            return (
                leaf.to(self._torch.complex128)
                if leaf.is_complex()
                else leaf.double()
                if leaf.is_floating_point()
                else leaf
            )

        if isinstance(inputs, Mapping):
            return (), {name: tree_map(widen, value) for name, value in inputs.items()}
        args = inputs if isinstance(inputs, tuple) else (inputs,)
        return tuple(tree_map(widen, value) for value in args), {}


def _tied_names(model: Any) -> list[tuple[str, str]]:
    firsts: dict[Any, str] = {}
    ties = []
    for name, tensor in model.state_dict().items():
        if tensor.numel() == 0:
            continue
        view = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.is_conj(), tensor.is_neg())
        first = firsts.setdefault(view, name)
        if first != name:
            ties.append((first, name))
    return ties
