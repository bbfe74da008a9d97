"""Proof by trial that a permutation spec leaves a model's function as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.inference import check_model, import_torch, uncompiled
from rebasin_fast._models.wide_copy import wide_copy
from rebasin_fast._models.widening import widened, without_noise
from rebasin_fast.errors import SpecError
from rebasin_fast.permutation.apply import apply_permutation, identity_permutation
from rebasin_fast.permutation.influence import asked_entries, outputs_if_read
from rebasin_fast.permutation.shortened import shortened
from rebasin_fast.permutation.trial_permutations import generators, trials

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation

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
    About log2(k) + 2 forward passes for k permutations and one for the outputs to compare with; where some disagree,
    as many again and 2 k more. The permutations tried generate all others of each name, and of any two names one moves
    without the other. Axes of inputs of more than 32 entries, and batches, are cut for the trials where the model
    takes that and every parameter still has a part in its outputs, which one backward pass tells; a spec that fails
    there is tried on the inputs as they were given.
    """
    trial = Trial(model, example_inputs, np.random.default_rng(rng), spec)
    sizes = spec.sizes(trial.params)
    drawn = generators(spec, sizes, trial.rng)
    chosen = trials(spec, sizes, drawn)
    if all(trial.change_under(spec, permutation) <= TOLERANCE for permutation in chosen):
        return
    trial.take_given_inputs()
    change = max(trial.change_under(spec, permutation) for permutation in chosen)
    if change <= TOLERANCE:
        return
    identity = identity_permutation(spec, sizes)
    culprits = {}
    for name in spec.permutations:
        alone = max(trial.change_under(spec, {**identity, name: moves[name]}) for moves in drawn)
        if alone > TOLERANCE:
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
        f"their magnitude (allowed {TOLERANCE:g}). It moves {places}: one of these is wrong, or an axis "
        "that carries the same units is missing"
        + (f". Also at fault: {', '.join(map(repr, others))}" if others else "")
    )


class Trial:
    """A randomised float64 copy of a model, its inputs, and its reference outputs.

    With ``spec``, the inputs are cut as far as the model takes and as every parameter has a part in the outputs.
    """

    def __init__(
        self,
        model: Any,
        example_inputs: Any,
        rng: np.random.Generator,
        spec: PermutationSpec | None = None,
    ) -> None:
        self._torch = import_torch("verify")
        check_model(model, "model")
        self.rng = rng
        self._model = wide_copy(model)
        self._given = self._args, self._kwargs = self._widened_inputs(example_inputs)
        self._randomise()
        self._forget()
        state = self._model.state_dict()
        self._versions = getattr(state, "_metadata", None)  # some modules refuse states of unknown version
        self.params: Params = {name: tensor.clone() for name, tensor in state.items()}
        self._ties = _tied_names(self._model)
        self._noisy = False
        self._is_steady = False  # whether the same inputs are known to give the same outputs
        if spec is not None:
            spec.validate(self.params)
        if spec is None or not self._take_short_inputs(spec):
            self._reference = self._outputs()

    def take_given_inputs(self) -> None:
        """Go back to the inputs as they were given, where they were cut."""
        if self._args is self._given[0] and self._kwargs is self._given[1]:
            return
        self._args, self._kwargs = self._given
        self._load(self.params)
        self._reference = self._outputs()

    def change_under(self, spec: PermutationSpec, permutation: Permutation) -> float:
        """Largest change of an output relative to its magnitude, when ``permutation`` acts on the parameters."""
        return self.change_with(apply_permutation(spec, permutation, self.params))

    def change_with(self, moved: Params) -> float:
        """Largest change of an output relative to its magnitude, with ``moved`` in place of the parameters."""
        self._refuse_torn_ties(moved)
        self._load(moved)
        change = self._relative_change(self._outputs())
        if change <= TOLERANCE or self._is_steady:
            return change
        self._still_noise()
        self._load(moved)
        return self._relative_change(self._outputs())

    def _still_noise(self) -> None:
        """Draw one number everywhere from here on, if the model draws any; SpecError where that is not enough.

        Nothing is to be known of noise before outputs differ.
        """
        self._load(self.params)
        if self._relative_change(self._outputs()) > TOLERANCE:
            self._noisy = True
            self._reference = self._outputs()
            if self._relative_change(self._outputs()) > TOLERANCE:
                raise SpecError(
                    "the model gives different outputs for the same inputs in eval mode, not because of continuous "
                    "noise alone; nothing can be verified"
                )
        self._is_steady = True

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

    def _take_short_inputs(self, spec: PermutationSpec) -> bool:
        """Go on with inputs on which the spec can fail as on those given; False where there are none.

        Every parameter must have a part in the outputs, and what each permutation moves of it: the tail of a table of
        positions has none where inputs are shorter.
        """

        def runs(inputs: Any) -> bool:
            self._args, self._kwargs = inputs
            try:
                return all(output.numel() for output in self._outputs())
            except Exception:  # whatever a model says to a length that it was not made for
                return False

        asked: dict[str, list[Any]] | None = None
        for inputs in shortened(self._given, runs):
            self._args, self._kwargs = inputs
            asked = asked_entries(self._torch, spec, self.params) if asked is None else asked
            found = outputs_if_read(self._torch, self._model, asked, self._outputs)
            if found is not None:
                self._reference = found
                return True
        self._args, self._kwargs = self._given
        return False

    def _outputs(self, *, with_history: bool = False) -> list[Any]:
        from torch.utils._pytree import tree_flatten

        noise = without_noise() if self._noisy else nullcontext()
        with self._torch.set_grad_enabled(with_history), uncompiled(self._model), widened(), noise:
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
