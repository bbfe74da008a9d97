"""Chains of layers: one permutation between any two neighbours, in the names of any layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rebasin_fast.specs.axis import Entry
from rebasin_fast.specs.reading.chains import Chain, series_of, the_chain
from rebasin_fast.specs.reading.hints import AmbiguousError, Hints
from rebasin_fast.specs.reading.layers import Layer, Layers, Norm
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec


def add_chain(
    builder: SpecBuilder,
    layers: Chain,
    names: Sequence[str],
    norms: Mapping[int, Sequence[str]],
) -> PermutationSpec:
    """Add the layers, and the norms after each (-1: before the first); ``names`` are the permutations between them."""
    inputs: Entry = None
    for norm in norms.get(-1, ()):
        builder.norm(norm, None)
    for number, layer in enumerate(layers):
        last = number + 1 == len(layers)
        after = None if last else layers[number + 1]
        outputs: Entry = None
        if not last:
            convolved = layer.kind != "dense" or (after is not None and after.kind != "dense")
            outputs = builder.channels(names[number]) if convolved else names[number]
        written = outputs
        if after is not None and layer.kind == "dense" and after.kind != "dense":
            written = builder.layout.flattened(outputs, layer.outputs // after.inputs)
        builder.layer(layer.name, layer.kind, inputs, written, spatial=layer.spatial, bias=layer.bias)
        for norm in norms.get(number, ()):
            builder.norm(norm, outputs)
        inputs = outputs
        if after is not None and layer.kind != "dense" and after.kind == "dense":
            inputs = builder.layout.flattened(outputs, after.inputs // layer.outputs)
    return builder.build()


def read_chain(
    found: Layers, hints: Hints, described: str
) -> tuple[Chain, dict[int, list[str]], bool] | None:
    """The only chain of the layers, the norms after each, and whether these keep statistics; None for no chain."""
    chain = the_chain(found.layers, hints, described)
    norms = None if chain is None else place_norms(found.norms, chain, described)
    statistics = {norm.statistics for norm in found.norms.values()}
    if chain is None or norms is None or len(statistics) > 1:
        return None
    return chain, norms, statistics != {False}


def place_norms(norms: Mapping[str, Norm], chain: Chain, described: str) -> dict[int, list[str]] | None:
    """After which layer each norm stands; None where the widths fit no such places.

    The place is determined by a width that no other place has, or by numbers where all layers and norms are numbered.
    """
    widths = {-1: chain[0].inputs, **{number: layer.outputs for number, layer in enumerate(chain)}}
    for before, after in zip(range(len(chain)), chain[1:], strict=False):
        if chain[before].kind == "dense" and after.kind != "dense":
            widths[before] = after.inputs
    placed: dict[int, list[str]] = {}
    for number, name in enumerate(_by_number(norms, chain)):
        if name is not None and norms[name].width == widths[number]:
            placed.setdefault(number, []).append(name)
    if sum(map(len, placed.values())) == len(norms):
        return placed
    placed = {}
    for name, norm in norms.items():
        places = [number for number, width in widths.items() if width == norm.width]
        moving = {number if -1 < number < len(chain) - 1 else -1 for number in places}
        if not places:
            return None
        if len(moving) > 1:
            raise AmbiguousError(
                f"these could be {described} ({' → '.join(layer.name for layer in chain)}), but the norm {name!r} of "
                f"{norm.width} units could stand in {len(places)} places; the shapes do not decide"
            )
        placed.setdefault(places[0], []).append(name)
    return placed


def _by_number(norms: Mapping[str, Norm], chain: Sequence[Layer]) -> list[str | None]:
    """The norm after each layer by numbers: in one container with the layers, or numbered as they are."""
    names = [layer.name for layer in chain]
    together = series_of([*names, *norms])
    first = together.get(names[0], [])
    if len(chain) > 1 and set(first) >= {*names, *norms}:
        after: list[str | None] = [None] * len(names)
        place = -1
        for name in first:
            if name in norms:
                if place < 0 or after[place] is not None:
                    return []
                after[place] = name
            else:
                place = names.index(name)
        return after
    numbered = series_of(list(norms))
    alike = next(iter(numbered.values()), list(norms))
    if set(alike) != set(norms):
        return []
    convolutions = [number for number, layer in enumerate(chain) if layer.kind != "dense"]
    for places in (list(range(len(chain) - 1)), convolutions):
        in_series = series_of([names[number] for number in places])
        if len(places) == len(alike) and (
            len(alike) == 1 or all(names[number] in in_series for number in places)
        ):
            result: list[str | None] = [None] * len(names)
            for number, name in zip(places, alike, strict=True):
                result[number] = name
            return result
    return []
