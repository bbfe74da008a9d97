"""Chains of convolutions and linear layers, with a flatten between them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rebasin_fast import _arguments
from rebasin_fast.specs.reading.chains import BRANCHES, Chain
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints, NormKind, needed_norm
from rebasin_fast.specs.reading.layers import Layer, Layers, LayoutName, read_layers
from rebasin_fast.specs.ready.chain import add_chain, read_chain
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params


@_arguments.checked(positions=1, spatial=1, norm_groups=1)
def cnn(
    convolutions: Sequence[str],
    classifier: Sequence[str],
    *,
    norms: Sequence[str] = (),
    positions: int = 1,
    bias: bool | Collection[str] = True,
    spatial: int = 2,
    norm: NormKind = "batch",
    norm_groups: int = 1,
    transposed: Collection[str] = (),
    layout: LayoutName = "torch",
) -> PermutationSpec:
    """Spec of a chain of convolutions followed by linear layers, in torch's names.

    Parameters
    ----------
    convolutions : sequence of str
        Names of the convolutions, input first.
    classifier : sequence of str
        Names of the linear layers; empty for convolutions alone.
    norms : sequence of str
        Names of the norms: one a convolution, or one a hidden layer (all convolutions, and all linear layers but
        the last); empty for none.
    positions : int
        Pixels of the last feature map: each channel owns that many inputs of the first linear layer.
    bias : bool or collection of str
        Whether all layers have biases, or the names of those that do.
    spatial : int
        1, 2, 3 for Conv1d, Conv2d, Conv3d.
    norm, norm_groups
        "batch" for BatchNorm; "layer" for LayerNorm over the channels, or GroupNorm of ``norm_groups`` groups.
    transposed : collection of str
        Which of the convolutions are transposed: torch and Keras hold their inputs where others hold outputs.
    layout : {"torch", "flax", "keras", "keras-file"}
        Whose names and axes. Flax and Keras flatten position by position, torch channel by channel.

    Returns
    -------
    PermutationSpec
        ``conv0``, ``conv1``, … and ``fc0``, ``fc1``, …, input first.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> spec = rf.specs.cnn(["conv1", "conv2"], ["fc1", "fc2"], positions=16)
    >>> spec.axes_to_perm["fc1.weight"]
    ('fc0', Product(outer='conv1', inner=Fixed(length=16)))
    """
    convolutions = _arguments.names("convolutions", convolutions)
    layers = _arguments.names("convolutions and classifier", [*convolutions, *classifier])
    _check_known("transposed", transposed, convolutions, "convolutions")
    _check_known("bias", bias if isinstance(bias, Collection) else (), layers, "layers")
    if spatial > 3:
        raise ValueError(f"spatial is 1, 2 or 3, for Conv1d, Conv2d, Conv3d; got {spatial}")
    if len(norms) not in (0, len(convolutions), len(layers) - 1):
        raise ValueError(
            f"norms has {len(norms)} names and convolutions {len(convolutions)}; give one for each of them, one for "
            f"each of the {len(layers) - 1} hidden layers, or none"
        )
    biased = set(bias if isinstance(bias, Collection) else layers if bias else ())
    chain = [
        Layer(name, "transposed" if name in transposed else "conv", 1, 1, spatial, name in biased)
        for name in convolutions
    ]
    chain += [
        Layer(name, "dense", 1 if number else positions, 1, 0, name in biased)
        for number, name in enumerate(classifier)
    ]
    builder = SpecBuilder(norm=norm, norm_groups=norm_groups, layout=layout)
    placed = {number: [name] for number, name in enumerate(norms)}
    return add_chain(builder, tuple(chain), _names(tuple(chain)), placed)


def _check_known(argument: str, names: Collection[str], known: Collection[str], what: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{argument} names {unknown[0]!r}, which is none of the {what} {[*known][:8]}")


def _names(chain: Chain) -> list[str]:
    """``conv0``, ``conv1``, … and ``fc0``, ``fc1``, …, as the layers are."""
    names = []
    counts = {"conv": 0, "fc": 0}
    for layer in chain:
        kind = "fc" if layer.kind == "dense" else "conv"
        names.append(f"{kind}{counts[kind]}")
        counts[kind] += 1
    return names


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of convolutions whose channels follow from one another, and linear layers after or before them.

    Layers must stand at the top of the model or in one container (``conv1``, ``features.0``): deeper trees are
    seldom chains, and a skip connection leaves no trace in the shapes.
    """
    found = read_layers(params)
    if found is None or len(found.layers) < 2 or not _convolves(found):
        return None
    if hints.layers is None and any(_depth(name) > 1 or BRANCHES.search(name) for name in found.layers):
        return None
    read = read_chain(found, hints, f"a chain of {len(found.layers)} convolutions and linear layers")
    if read is None:
        return None
    chain, norms, statistics = read
    norm, groups = needed_norm(hints, statistics, "a chain of convolutions", next(iter(found.norms), ""))
    builder = SpecBuilder(norm=norm, norm_groups=groups, layout=found.layout)
    return add_chain(builder, chain, _names(chain), norms)


def _convolves(found: Layers) -> bool:
    return any(layer.kind != "dense" for kinds in found.layers.values() for layer in kinds)


def _depth(name: str) -> int:
    return name.count(".") + name.count("/")
