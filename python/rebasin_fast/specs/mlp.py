"""Multi-layer perceptrons: one permutation for each hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from rebasin_fast.spec import PermutationSpec
from rebasin_fast.specs.fragments import SpecBuilder
from rebasin_fast.specs.hints import NO_HINTS, Hints
from rebasin_fast.specs.names import natural_key

if TYPE_CHECKING:
    from rebasin_fast.typing import Params


def mlp(
    layers: int | Sequence[str], *, bias: bool = True, layout: Literal["torch", "flax"] = "torch"
) -> PermutationSpec:
    """Spec of a chain of linear layers with elementwise activations between them.

    Parameters
    ----------
    layers : sequence of str, or int
        Names of the layers from input to output. A number n means n hidden layers in the names of git-re-basin
        (``Dense_0`` … ``Dense_n``, layout "flax").
    bias : bool
        Whether the layers have biases.
    layout : {"torch", "flax"}
        ``name.weight`` (out, in) and ``name.bias``, or ``name/kernel`` (in, out) and ``name/bias``.

    Returns
    -------
    PermutationSpec
        Permutations ``P0``, ``P1``, …: hidden layers from input to output.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.mlp(["fc1", "fc2", "fc3"]).permutations
    ('P0', 'P1')
    >>> rf.specs.mlp(2).axes_to_perm["Dense_1/kernel"]
    ('P0', 'P1')
    """
    if isinstance(layers, int):
        layers, layout = [f"Dense_{i}" for i in range(layers + 1)], "flax"
    if isinstance(layers, str) or len(layers) < 1:
        raise ValueError(f"layers is a list of names or a number of hidden layers; got {layers!r}")
    builder = SpecBuilder()
    ends = [None, *(f"P{i}" for i in range(len(layers) - 1)), None]
    for name, (inputs, outputs) in zip(layers, pairwise(ends), strict=True):
        if layout == "torch":
            builder.dense(name, inputs, outputs, bias=bias)
        else:
            builder.parameter(f"{name}/kernel", inputs, outputs)
            if bias:
                builder.parameter(f"{name}/bias", outputs)
    return builder.build()


def recognise(params: Params, _hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a chain of linear layers with or without biases, in torch's or Flax's names."""
    for kernel, layout in ((".weight", "torch"), ("/kernel", "flax")):
        layers = [name.removesuffix(kernel) for name in params if name.endswith(kernel)]
        layers.sort(key=natural_key)
        weights = [params[name + kernel] for name in layers]
        if not layers or any(len(weight.shape) != 2 for weight in weights):
            continue
        inputs, outputs = (1, 0) if layout == "torch" else (0, 1)
        chained = all(a.shape[outputs] == b.shape[inputs] for a, b in pairwise(weights))
        biases = {name + kernel[0] + "bias" for name in layers} & set(params)
        if chained and len(biases) in (0, len(layers)) and len(params) == len(layers) + len(biases):
            return mlp(layers, bias=bool(biases), layout="torch" if layout == "torch" else "flax")
    return None
