"""Multi-layer perceptrons: one permutation for each hidden layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast.specs.reading.chains import BRANCHES
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints, NormKind, needed_norm
from rebasin_fast.specs.reading.layers import Layer, LayoutName, Norm, read_layers
from rebasin_fast.specs.ready.chain import add_chain, read_chain
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params


@_arguments.checked(layers=1)
def mlp(
    layers: int | Sequence[str],
    *,
    bias: bool = True,
    layout: LayoutName = "torch",
    norms: Sequence[str | None] = (),
    norm: NormKind = "batch",
) -> PermutationSpec:
    """Spec of a chain of linear layers with elementwise activations between them.

    Parameters
    ----------
    layers : sequence of str, or int
        Names of the layers from input to output. A number n means n hidden layers in the names of git-re-basin
        (``Dense_0`` … ``Dense_n``, layout "flax").
    bias : bool
        Whether the layers have biases.
    layout : {"torch", "flax", "keras", "keras-file"}
        ``name.weight`` (out, in) and ``name.bias``, or ``name/kernel`` (in, out) and ``name/bias``; in Keras's files
        with ``:0`` behind.
    norms : sequence of str or None
        Names of the norms after each hidden layer, None where there is none; empty for none at all.
    norm : {"batch", "layer"}
        BatchNorm with its statistics, or LayerNorm over the hidden units.

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
    if isinstance(layers, int | np.integer):
        layers, layout = [f"Dense_{i}" for i in range(layers + 1)], "flax"
    layers = _arguments.names("layers", layers)
    if len(norms) not in (0, len(layers) - 1):
        raise ValueError(
            f"norms has {len(norms)} names; give one for each of {len(layers) - 1} hidden layers"
        )
    chain = tuple(Layer(name, "dense", 0, 0, 0, bias) for name in layers)
    placed = {number: [name] for number, name in enumerate(norms) if name is not None}
    return add_chain(SpecBuilder(norm=norm, layout=layout), chain, _names(len(layers)), placed)


def _names(layers: int) -> list[str]:
    return [f"P{i}" for i in range(layers)]


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a chain of linear layers, with or without biases and norms, in any layout."""
    found = read_layers(params)
    if found is None or any(layer.kind != "dense" for kinds in found.layers.values() for layer in kinds):
        return None
    biased = {kinds[0].bias for kinds in found.layers.values()}
    if len(biased) > 1 or (hints.layers is None and any(map(BRANCHES.search, params))):
        return None
    if any("emb" in name.lower() for name in found.layers):
        return None
    described = f"a multi-layer perceptron of {len(found.layers)} layers"
    read = read_chain(found, hints, described)
    if read is None:
        return None
    chain, norms, statistics = read
    norm: NormKind = "batch" if statistics else "layer"
    if not statistics and not all(map(_is_layer_norm, found.norms.values())):
        norm, groups = needed_norm(hints, statistics, described, next(iter(found.norms)))
        if groups > 1:
            return None
    return add_chain(SpecBuilder(norm=norm, layout=found.layout), chain, _names(len(chain)), norms)


def _is_layer_norm(norm: Norm) -> bool:
    name = norm.name.lower().replace("_", "")
    return "layernorm" in name or name.rstrip("0123456789.").rpartition(".")[2] == "ln"
