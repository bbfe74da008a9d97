"""Chains of convolutions and linear layers, with a flatten between them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rebasin_fast.axis import Entry, blocks
from rebasin_fast.spec import PermutationSpec
from rebasin_fast.specs.fragments import NormKind, SpecBuilder
from rebasin_fast.specs.hints import NO_HINTS, Hints, needed_groups
from rebasin_fast.specs.names import natural_key

if TYPE_CHECKING:
    from rebasin_fast.typing import Params


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
) -> PermutationSpec:
    """Spec of a chain of convolutions followed by linear layers, in torch's names.

    Parameters
    ----------
    convolutions : sequence of str
        Names of the convolutions, input first.
    classifier : sequence of str
        Names of the linear layers.
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
    layers = [*convolutions, *classifier]
    if len(norms) not in (0, len(convolutions), len(layers) - 1):
        raise ValueError(
            f"norms has {len(norms)} names and convolutions {len(convolutions)}; give one for each of them, one for "
            f"each of the {len(layers) - 1} hidden layers, or none"
        )
    biased = set(layers if bias is True else bias or ())
    builder = SpecBuilder(norm=norm, norm_groups=norm_groups)
    inputs: Entry = None
    for number, name in enumerate(layers):
        outputs: Entry
        if number < len(convolutions):
            outputs = builder.channels(f"conv{number}")
            builder.convolution(name, inputs, outputs, bias=name in biased, spatial=spatial)
        else:
            if number == len(convolutions) and positions > 1:
                inputs = blocks(inputs, positions)
            outputs = f"fc{number - len(convolutions)}" if name != layers[-1] else None
            builder.dense(name, inputs, outputs, bias=name in biased)
        if number < len(norms):
            builder.norm(norms[number], outputs)
        inputs = outputs
    return builder.build()


# Names that speak of branches, which a chain has none of.
_BRANCHES = re.compile(
    r"short_?cut|down_?sample|res|skip|branch|squeeze|gate|atten|block\d*\.\d", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Chain:
    convolutions: list[str]
    classifier: list[str]
    norms: list[str]
    positions: int
    spatial: int


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of convolutions whose channels follow from one another, and linear layers after them.

    Layers must stand at the top of the model or in one container (``conv1``, ``features.0``): deeper trees are
    seldom chains, and a skip connection leaves no trace in the shapes.
    """
    if any(name.count(".") > 2 or _BRANCHES.search(name) for name in params):
        return None
    chain = next(_chains(params), None)
    if chain is None:
        return None
    biased = [n for n in (*chain.convolutions, *chain.classifier) if f"{n}.bias" in params]
    statistics = not chain.norms or f"{chain.norms[0]}.running_mean" in params
    groups = 1 if statistics else needed_groups(hints, "a chain of convolutions", chain.norms[0])
    return cnn(
        chain.convolutions,
        chain.classifier,
        norms=chain.norms,
        positions=chain.positions,
        bias=biased,
        spatial=chain.spatial,
        norm="batch" if statistics else "layer",
        norm_groups=groups,
    )


def _chains(params: Params) -> Iterator[_Chain]:
    """The chains that the layers form in the order of their numbers, or in that of the parameters."""
    given = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    for layers in (sorted(given, key=natural_key), given):
        ranks = {name: len(params[f"{name}.weight"].shape) for name in layers}
        convolutions = [name for name in layers if ranks[name] > 2]
        classifier = [name for name in layers if ranks[name] == 2]
        norms = [name for name in layers if ranks[name] == 1]
        if not convolutions or not classifier or len({ranks[name] for name in convolutions}) > 1:
            continue
        shapes = [params[f"{name}.weight"].shape for name in (*convolutions, *classifier)]
        flatten = len(convolutions) - 1
        follows = [
            after[1] % before[0] == 0 if number == flatten else after[1] == before[0]
            for number, (before, after) in enumerate(pairwise(shapes))
        ]
        if all(follows) and len(norms) in (0, len(convolutions), len(shapes) - 1):
            positions = int(shapes[flatten + 1][1]) // int(shapes[flatten][0])
            yield _Chain(convolutions, classifier, norms, positions, len(shapes[0]) - 2)
