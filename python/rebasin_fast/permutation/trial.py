"""A randomised float64 copy of a model, and the change of its outputs under other parameters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from rebasin_fast._arrays import find_ties
from rebasin_fast._models.inference import check_model, import_torch, uncompiled
from rebasin_fast._models.wide_copy import wide_copy, widened, without_noise
from rebasin_fast.errors import DataError, RebasinError, SpecError
from rebasin_fast.permutation.apply import apply_permutation
from rebasin_fast.permutation.influence import entries_to_check, outputs_if_influenced
from rebasin_fast.permutation.shortened import shortened
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing.graph import split_inputs, tensors_in
from rebasin_fast.typing import Params, Permutation

# Outputs of a float64 copy agree to about 1e-13 where the spec is right.
TOLERANCE = 1e-9


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
        self._given = self._args, self._kwargs = _widened(self._torch, example_inputs)
        self._randomise()
        self._drop_kept_results()
        state = self._model.state_dict()
        self._versions = getattr(state, "_metadata", None)  # some modules refuse states of unknown version
        self.params: Params = {name: tensor.clone() for name, tensor in state.items()}
        self.ties = find_ties(state)
        self._noisy = False
        self._is_steady = False  # whether the same inputs are known to give the same outputs
        self.is_influenced = False  # whether outputs are known to depend on every parameter
        if spec is not None:
            spec.validate(self.params)
        if spec is None or not self._take_short_inputs(spec):
            self._reference = self._first_outputs()
            if spec is not None:
                self._check_evidence(spec)

    def _first_outputs(self) -> list[Any]:
        try:
            return self._outputs()
        except (TypeError, AttributeError, IndexError, RuntimeError) as error:
            if isinstance(error, RebasinError):
                raise
            raise DataError(f"the model does not run on example_inputs: {error}") from error

    def _check_evidence(self, spec: PermutationSpec) -> None:
        """SpecError where no permutation could have changed the outputs, so that equal ones prove nothing."""
        moved = [name for places in spec.perm_to_axes.values() for name, _ in places]
        if not any(output.numel() for output in self._reference):
            raise SpecError(
                "the outputs of the model are empty on example_inputs, so that they prove nothing: give a batch of at "
                "least one sample"
            )
        names = [name for name in moved if name in self.params and self.params[name].is_floating_point()]
        if not names:
            return
        if not self.depends_on(names):
            raise SpecError(
                "the outputs of the model do not depend on the parameters that the spec moves (they stay as they are "
                f"when {names[0]!r} and all others are drawn anew), so that they prove nothing: give inputs that "
                "reach these layers, or a model without constant outputs"
            )

    def depends_on(self, names: Sequence[str]) -> bool:
        """Whether the outputs change when the parameters of these names are drawn anew."""
        rng = np.random.default_rng(0)  # of its own: the permutations that are tried stay those of the seed
        drawn = {
            name: self._torch.as_tensor(rng.random(tuple(self.params[name].shape))).to(self.params[name])
            for name in names
        }
        self._load({**self.params, **self._tied(drawn)})
        change = self._relative_change(self._outputs())
        self._load(self.params)
        return change > TOLERANCE

    def rebase(self, params: Params) -> None:
        """Compare with the outputs of ``params`` from here on, and move these."""
        self._check_tied(params)
        self.params = params
        self._load(params)
        self._reference = self._outputs()

    def _tied(self, drawn: dict[str, Any]) -> dict[str, Any]:
        """The same numbers under all names of one tensor."""
        first = {name: drawn[owner] for name, owner in self.ties.items() if owner in drawn}
        return {**drawn, **first}

    def take_given_inputs(self) -> bool:
        """Go back to the inputs as they were given, where they were cut; whether they were."""
        if self._args is self._given[0] and self._kwargs is self._given[1]:
            return False
        self._args, self._kwargs = self._given
        self._load(self.params)
        self._reference = self._outputs()
        self.is_influenced = False
        return True

    def change_under(self, spec: PermutationSpec, permutation: Permutation) -> float:
        """Largest change of an output relative to its magnitude, when ``permutation`` acts on the parameters."""
        return self.change_with(apply_permutation(spec, permutation, self.params))

    def change_with(self, moved: Params) -> float:
        """Largest change of an output relative to its magnitude, with ``moved`` in place of the parameters."""
        self._check_tied(moved)
        self._load(moved)
        change = self._relative_change(self._outputs())
        if change <= TOLERANCE or self._is_steady:
            return change
        self._fix_noise()
        self._load(moved)
        return self._relative_change(self._outputs())

    def _fix_noise(self) -> None:
        """Draw one number everywhere from here on, if the model draws any; SpecError where that is not enough.

        Called when outputs differ first.
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

    def _check_tied(self, moved: Params) -> None:
        """Names that share one tensor must move alike: a checkpoint that holds both would contradict itself."""
        for second, first in self.ties.items():
            if not self._torch.equal(moved[first], moved[second]):
                raise SpecError(
                    f"parameters {first!r} and {second!r} are one tensor in the model, and the spec moves them apart; "
                    "give them the same entries and roles"
                )

    def _load(self, params: Params) -> None:
        state = OrderedDict(params)
        state._metadata = self._versions  # type: ignore[attr-defined]
        self._model.load_state_dict(state)
        self._drop_kept_results()

    def _drop_kept_results(self) -> None:
        """Drop results that a network keeps in eval mode: it does so when it is set to train."""
        self._model.train()
        self._model.eval()

    def _take_short_inputs(self, spec: PermutationSpec) -> bool:
        """Go on with inputs on which the spec can fail as on those given; False where there are none.

        Every parameter must have a part in the outputs, by entries that each permutation moves: the tail of a table of
        positions has none where inputs are shorter.
        """

        def runs(inputs: Any) -> bool:
            self._args, self._kwargs = inputs
            try:
                return all(output.numel() for output in self._outputs())
            except Exception:  # any error of a model that was not made for this length
                return False

        checked: dict[str, list[Any]] | None = None
        for inputs in shortened(self._given, runs):
            self._args, self._kwargs = inputs
            checked = entries_to_check(self._torch, spec, self.params) if checked is None else checked
            found = outputs_if_influenced(self._torch, self._model, checked, self._outputs)
            if found is not None:
                self._reference = found
                self.is_influenced = True
                return True
        self._args, self._kwargs = self._given
        return False

    def _outputs(self, *, with_history: bool = False) -> list[Any]:
        noise = without_noise() if self._noisy else nullcontext()
        with self._torch.set_grad_enabled(with_history), uncompiled(self._model), widened(), noise:
            outputs = tensors_in(self._model(*self._args, **self._kwargs))
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


def _widened(torch: Any, inputs: Any) -> Any:
    """Positional and keyword arguments, floating-point tensors in double precision."""
    from torch.utils._pytree import tree_map_only

    def widen(tensor: Any) -> Any:
        if tensor.is_complex():
            return tensor.to(torch.complex128)
        return tensor.double() if tensor.is_floating_point() else tensor

    return tree_map_only(torch.Tensor, widen, split_inputs(inputs))
