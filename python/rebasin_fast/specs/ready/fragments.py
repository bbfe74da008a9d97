"""The layers that ready specs are put together from."""

from __future__ import annotations

from rebasin_fast.errors import SpecError
from rebasin_fast.specs.axis import Entry, Product
from rebasin_fast.specs.reading.hints import NormKind
from rebasin_fast.specs.reading.layers import LAYOUTS, Kind, LayoutName
from rebasin_fast.specs.spec import PermutationSpec


class SpecBuilder:
    """Collects the entries of a model's parameters, layer by layer.

    Parameters
    ----------
    norm : {"batch", "layer"}
        The parameters of :meth:`norm`: scale and shift with the statistics of BatchNorm, or alone (LayerNorm over the
        channels, GroupNorm).
    norm_groups : int
        Groups of a GroupNorm. Channels then move as whole groups, and within each group.
    layout : {"torch", "flax", "keras", "keras-file"}
        Names and axes of the parameters.
    """

    def __init__(
        self, *, norm: NormKind = "batch", norm_groups: int = 1, layout: LayoutName = "torch"
    ) -> None:
        if norm not in ("batch", "layer"):
            raise ValueError(f"norm is 'batch' or 'layer' (LayerNorm, GroupNorm); got {norm!r}")
        if norm_groups < 1 or (norm == "batch" and norm_groups > 1):
            raise ValueError(
                f"norm_groups is 1, or with norm='layer' the groups of GroupNorm; got {norm_groups}"
            )
        self._norm = norm
        self.norm_groups = norm_groups
        self.layout = LAYOUTS[layout]
        self._axes: dict[str, tuple[Entry, ...]] = {}
        self._unmatched: list[str] = []
        self._sizes: dict[str, int] = {}

    def channels(self, name: str) -> Entry:
        """The entry of freely moving channels: ``name``, or groups and units within them under a GroupNorm."""
        if self.norm_groups == 1:
            return name
        return self.nested(f"{name}.groups", self.norm_groups, f"{name}.units")

    def nested(self, outer: str, size: int, inner: str) -> Product:
        """``size`` units of ``outer`` that move as wholes, each with a permutation ``inner`` of its own."""
        self._sizes[outer] = size
        return Product(outer, inner)

    def dense(self, name: str, inputs: Entry, outputs: Entry, *, bias: bool = True) -> None:
        """A linear layer."""
        self.layer(name, "dense", inputs, outputs, bias=bias)

    def convolution(self, name: str, inputs: Entry, outputs: Entry, *, bias: bool = False) -> None:
        """A convolution of images."""
        self.layer(name, "conv", inputs, outputs, spatial=2, bias=bias)

    def layer(
        self, name: str, kind: Kind, inputs: Entry, outputs: Entry, *, spatial: int = 0, bias: bool
    ) -> None:
        """A linear layer or a convolution with ``spatial`` axes of taps."""
        self.parameter(name + self.layout.kernel, *self.layout.kernel_entries(kind, inputs, outputs, spatial))
        if bias:
            self.parameter(name + self.layout.bias, outputs)

    def norm(self, name: str, channels: Entry) -> None:
        """The norm that the builder was made with."""
        if self._norm == "batch":
            self.batch_norm(name, channels)
        else:
            self.layer_norm(name, channels)

    def layer_norm(self, name: str, channels: Entry) -> None:
        """Scale and shift alone."""
        self.parameter(name + self.layout.scale, channels)
        self.parameter(name + self.layout.shift, channels)

    def batch_norm(self, name: str, channels: Entry) -> None:
        """Scale and shift are matched; the statistics move with their channels and stay out of the objective."""
        self.layer_norm(name, channels)
        for ending in self.layout.statistics:
            self.statistics(name + ending, *(() if ending == ".num_batches_tracked" else (channels,)))

    def statistics(self, name: str, *axes: Entry) -> None:
        """A buffer that moves with its units, unmatched."""
        self.parameter(name, *axes)
        self._unmatched.append(name)

    def parameter(self, name: str, *axes: Entry) -> None:
        """Any other parameter; SpecError for a name that another layer has."""
        if name in self._axes:
            raise SpecError(f"two layers have the parameter {name!r}: give each layer a name of its own")
        self._axes[name] = axes

    def build(self) -> PermutationSpec:
        """The spec of all layers so far."""
        return PermutationSpec(self._axes, self._unmatched, sizes=self._sizes)
