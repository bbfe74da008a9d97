"""The layers that ready specs are put together from."""

from __future__ import annotations

from rebasin_fast.axis import Entry
from rebasin_fast.spec import PermutationSpec


class SpecBuilder:
    """Collects the entries of a model's parameters, layer by layer, in torch's names."""

    def __init__(self) -> None:
        self._axes: dict[str, tuple[Entry, ...]] = {}
        self._unmatched: list[str] = []

    def dense(self, name: str, inputs: Entry, outputs: Entry, *, bias: bool = True) -> None:
        """A linear layer: weight (outputs, inputs), bias (outputs,)."""
        self._axes[f"{name}.weight"] = (outputs, inputs)
        if bias:
            self._axes[f"{name}.bias"] = (outputs,)

    def convolution(self, name: str, inputs: Entry, outputs: Entry, *, bias: bool = False) -> None:
        """A 2-D convolution without groups: weight (outputs, inputs, height, width)."""
        self._axes[f"{name}.weight"] = (outputs, inputs, None, None)
        if bias:
            self._axes[f"{name}.bias"] = (outputs,)

    def batch_norm(self, name: str, channels: Entry) -> None:
        """Scale and shift are matched; the statistics move with their channels and stay out of the objective."""
        self._axes[f"{name}.weight"] = (channels,)
        self._axes[f"{name}.bias"] = (channels,)
        self.statistics(f"{name}.running_mean", channels)
        self.statistics(f"{name}.running_var", channels)
        self.statistics(f"{name}.num_batches_tracked")

    def statistics(self, name: str, *axes: Entry) -> None:
        """A buffer that moves with its units, unmatched."""
        self._axes[name] = axes
        self._unmatched.append(name)

    def parameter(self, name: str, *axes: Entry) -> None:
        """Any other parameter."""
        self._axes[name] = axes

    def build(self) -> PermutationSpec:
        """The spec of all layers so far."""
        return PermutationSpec(self._axes, self._unmatched)
