"""Proof by trial that a permutation spec leaves a model's function as it is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast.errors import MissingDependencyError, SpecError
from rebasin_fast.permutation import apply_permutation, identity_permutation, random_permutation

if TYPE_CHECKING:
    from rebasin_fast.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation

# Outputs of a float64 copy agree to about 1e-13 where the spec is right.
_RELATIVE_TOLERANCE = 1e-5


def verify_spec(spec: PermutationSpec, model: Any, example_inputs: Any, *, rng: int = 0) -> None:
    """Check that permuting the units of ``model`` by ``spec`` changes none of its outputs.

    Parameters
    ----------
    spec : PermutationSpec
        Must name every entry of the model's ``state_dict``.
    model : torch.nn.Module
        Not changed. The trial runs on a float64 copy in eval mode whose parameters and buffers are random
        (buffers positive, for variances): zero biases, unit scales and layer scales of 1e-6 would hide
        missing entries. Permutations of the identity's size or one unit prove nothing and are harmless.
    example_inputs : tensor, tuple, or mapping
        One positional argument, several, or keyword arguments; floating-point tensors are widened.
    rng : int
        Seed of the parameters and permutations.

    Raises
    ------
    SpecError
        The spec does not fit the model, or outputs change by more than 1e-5 of their largest magnitude; the
        message names the permutations at fault and the parameters they move.

    Notes
    -----
    Two forward passes, and one more per permutation if they disagree.
    """
    trial = _Trial(model, example_inputs, np.random.default_rng(rng))
    spec.validate(trial.params)
    sizes = spec.sizes(trial.params)
    drawn = random_permutation(spec, sizes, trial.rng)
    change = trial.change_under(spec, drawn)
    if change <= _RELATIVE_TOLERANCE:
        return
    identity = identity_permutation(spec, sizes)
    culprits = {}
    for name in spec.permutations:
        alone = trial.change_under(spec, {**identity, name: drawn[name]})
        if alone > _RELATIVE_TOLERANCE:
            culprits[name] = alone
    raise SpecError(_describe(spec, culprits, change))


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
        f"their magnitude (allowed {_RELATIVE_TOLERANCE:g}). It moves {places}: one of these is wrong, or an axis "
        "that carries the same units is missing"
        + (f". Also at fault: {', '.join(map(repr, others))}" if others else "")
    )


class _Trial:
    """A randomised float64 copy of a model, its inputs, and its reference outputs."""

    def __init__(self, model: Any, example_inputs: Any, rng: np.random.Generator) -> None:
        self._torch = _import_torch()
        self.rng = rng
        self._model = copy.deepcopy(model).double().eval()
        self._args, self._kwargs = self._widened_inputs(example_inputs)
        self._randomise()
        self.params: Params = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
        self._reference = self._outputs()
        again = self._outputs()
        if self._relative_change(again) > 0.0:
            raise SpecError(
                "the model gives different outputs for the same inputs in eval mode; nothing can be verified"
            )

    def change_under(self, spec: PermutationSpec, permutation: Permutation) -> float:
        """Largest change of an output relative to its magnitude, when ``permutation`` acts on the parameters."""
        self._model.load_state_dict(apply_permutation(spec, permutation, self.params))
        return self._relative_change(self._outputs())

    def _outputs(self) -> list[Any]:
        from torch.utils._pytree import tree_flatten

        with self._torch.no_grad():
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
            if not expected.is_floating_point():
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
                if not tensor.is_floating_point():
                    continue
                shape = tuple(tensor.shape)
                if id(tensor) in trainable and len(shape) > 1:
                    fan_in = int(np.prod(shape[1:]))
                    values = self.rng.standard_normal(shape) * np.sqrt(2.0 / max(fan_in, 1))
                else:
                    values = self.rng.uniform(0.5, 1.5, shape)
                tensor.copy_(self._torch.as_tensor(values))

    def _widened_inputs(self, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        from torch.utils._pytree import tree_map

        def widen(leaf: Any) -> Any:
            floating = isinstance(leaf, self._torch.Tensor) and leaf.is_floating_point()
            return leaf.double() if floating else leaf

        if isinstance(inputs, Mapping):
            return (), {name: tree_map(widen, value) for name, value in inputs.items()}
        args = inputs if isinstance(inputs, tuple) else (inputs,)
        return tuple(tree_map(widen, value) for value in args), {}


def _import_torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError("verify needs PyTorch: pip install 'rebasin-fast[torch]'") from None
    return torch
