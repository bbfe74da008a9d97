"""Chains that layers can form: the orders that their shapes, and numbers in their names, allow."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice, pairwise
from math import isqrt

from rebasin_fast.specs.reading.hints import AmbiguousError, Hints
from rebasin_fast.specs.reading.layers import Layer
from rebasin_fast.specs.reading.names import natural_key

# Names of layers in a plain stack, around which there is no sum.
_PLAIN = re.compile(
    r"(.*[./])?(fc|lin|linear|dense|conv\w*|deconv\w*|lstm|gru|rnn|core|\w*embed\w*|emb)$",
    re.IGNORECASE,
)
_PLAIN_LAST = re.compile(r"(.*[./])?(out|output|head|classifier)$", re.IGNORECASE)
# Names of layers in branches; a chain has no branches.
BRANCHES = re.compile(
    r"short_?cut|down_?sample|(?<![a-z])res|residual|skip|branch|squeeze|gate|atten|block\d*[./]\d|mixer|expert|actor|critic|polic|"
    r"_proj(?![a-z])|query|key(?![a-z])|value(?![a-z])|highway|glu(?![a-z])",
    re.IGNORECASE,
)
# The place of a layer in a container.
_INDEX = re.compile(r"[./]\d+$")
# Most steps of a search. Layers that need more form several chains, or none that shapes could prove.
_MOST_STEPS = 20_000

Chain = tuple[Layer, ...]


def series_of(names: Sequence[str]) -> dict[str, list[str]]:
    """For each name in a series of two or more that differ in one number only: the series, by that number."""
    found: dict[str, list[str]] = {}
    for place in range(3):
        members: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in names:
            parts = re.split(r"(\d+)", name)
            if 2 * place + 1 < len(parts) and name not in found:
                alike = (*parts[: 2 * place + 1], "#", *parts[2 * place + 2 :])
                members[alike].append(name)
        for series in members.values():
            if len(series) > 1:
                series.sort(key=natural_key)
                found |= dict.fromkeys(series, series)
    return found


def the_chain(candidates: Mapping[str, Sequence[Layer]], hints: Hints, described: str) -> Chain | None:
    """The only chain that the layers form, in the order of ``hints`` if given; None where they form none.

    ``candidates`` are the possible readings of each layer, in the order of the file; ``described`` names the
    network in messages.

    Raises
    ------
    AmbiguousError
        They form several chains, or one to which a skip connection could be added without a change of shapes.
    """
    names = list(candidates)
    if hints.layers is not None:
        return _given(candidates, hints.layers)
    series = series_of(names)
    found = _some_chains(candidates, series)
    if not found and series:
        found = _some_chains(candidates, {})
    found = _by_name(found, series)
    if not found:
        return None
    if len(found) > 1:
        raise AmbiguousError(_ambiguity(described, [_arrows(chain) for chain in found]))
    (chain,) = found
    _check_certain(chain, described)
    _check_order_in_file(candidates, chain, series, described)
    _check_no_skip_connection(chain, series, described)
    return chain


def _given(candidates: Mapping[str, Sequence[Layer]], order: Sequence[str]) -> Chain | None:
    if sorted(order) != sorted(candidates):
        raise AmbiguousError(
            f"layers names {', '.join(order)}; expected each of {', '.join(candidates)} once, the first first"
        )
    chained = {name: list(order) for name in order}
    found = _some_chains({name: candidates[name] for name in order}, chained)
    plain = [chain for chain in found if all(layer.certain for layer in chain)]
    return next(iter(plain or found), None)


def _some_chains(candidates: Mapping[str, Sequence[Layer]], series: Mapping[str, list[str]]) -> list[Chain]:
    """A few chains of all layers in which every series keeps its order; the file's order is tried first."""
    before = {name: members[: members.index(name)][-1:] for name, members in series.items()}
    steps = 0

    def grow(chain: list[Layer], placed: set[str]) -> Iterator[Chain]:
        nonlocal steps
        steps += 1
        if len(placed) == len(candidates):
            yield tuple(chain)
            return
        begun = chain[-1].name if chain else ""
        unfinished = [name for name in series.get(begun, ()) if name not in placed and _INDEX.search(begun)]
        for name, readings in candidates.items():
            if unfinished and name not in unfinished:
                continue  # a container of numbered layers runs as a whole
            if name in placed or any(earlier not in placed for earlier in before.get(name, ())):
                continue
            for layer in readings:
                if steps > _MOST_STEPS:
                    return
                if not chain or follows(chain[-1], layer):
                    yield from grow([*chain, layer], {*placed, name})

    return list(islice(grow([], set()), 8)) if len(candidates) <= 200 else []


def follows(before: Layer, after: Layer) -> bool:
    """Whether the shapes allow ``after`` to follow ``before``."""
    if before.kind != "dense" and after.kind == "dense":
        return after.inputs % before.outputs == 0
    if before.kind == "dense" and after.kind != "dense":
        positions, rest = divmod(before.outputs, after.inputs)
        return rest == 0 and after.inputs > 1 and _is_power(positions, after.spatial)
    return before.outputs == after.inputs and before.spatial == after.spatial


def _is_power(positions: int, spatial: int) -> bool:
    """Whether ``positions`` form an image of equal sides, as the outputs of a linear layer before a convolution."""
    if spatial == 2:
        return isqrt(positions) ** 2 == positions
    return spatial != 3 or round(positions ** (1 / 3)) ** 3 == positions


def _by_name(found: list[Chain], series: Mapping[str, list[str]]) -> list[Chain]:
    """Of chains of one order those in which no layer with the name of a plain convolution is transposed."""

    def plain(layer: Layer) -> bool:
        return layer.certain or not (_PLAIN.match(layer.name) or layer.name in series)

    orders = {tuple(layer.name for layer in chain) for chain in found}
    if len(orders) == 1:
        usual = [chain for chain in found if all(map(plain, chain))]
        return usual or found
    return found


def _check_certain(chain: Chain, described: str) -> None:
    uncertain = [layer.name for layer in chain if not layer.certain]
    if uncertain:
        raise AmbiguousError(
            f"these could be {described} ({_arrows(chain)}) if {', '.join(uncertain)} are transposed convolutions, "
            "which neither names nor biases determine: write the spec (rf.specs.cnn(…, transposed=[…])), or trace "
            "the model"
        )


def _check_order_in_file(
    candidates: Mapping[str, Sequence[Layer]], chain: Chain, series: Mapping[str, list[str]], described: str
) -> None:
    """AmbiguousError where the order in the file, unless it is a sorted one, is another chain."""
    given = list(candidates)
    named = any(re.fullmatch(r"(.*[./])?\d+", name) is None for name in series)
    if not named or given in (sorted(given), sorted(given, key=natural_key)):
        return
    in_file = _some_chains(candidates, dict.fromkeys(given, given))
    if in_file and [layer.name for layer in chain] != given:
        raise AmbiguousError(
            _ambiguity(
                described,
                [f"{_arrows(chain)} by their numbers", f"{_arrows(in_file[0])} by the order in the file"],
            )
        )


def _check_no_skip_connection(chain: Chain, series: Mapping[str, list[str]], described: str) -> None:
    """AmbiguousError where a skip connection may be: it has no parameters, and only plain names rule it out."""

    def plain(layer: Layer) -> bool:
        known = _PLAIN.match(layer.name) or (layer is chain[-1] and _PLAIN_LAST.match(layer.name))
        return layer.name in series or bool(known)

    widths = [chain[0].inputs, *(layer.outputs for layer in chain)]
    flat = [chain[0].kind == "dense", *(layer.kind == "dense" for layer in chain)]
    for start, end in combinations(range(len(widths)), 2):
        if widths[start] != widths[end] or (start == 0 and end == len(chain)):
            continue
        if flat[start] != flat[end] and not _pooled(chain[start:end]):
            continue
        if not all(map(plain, chain[max(start - 1, 0) : end])):
            around = " → ".join(layer.name for layer in chain[start:end])
            raise AmbiguousError(
                f"these could be {described} ({_arrows(chain)}), or the same with a skip connection around {around}, "
                f"whose input and output have {widths[start]} units each; the shapes do not decide"
            )


def _pooled(layers: Chain) -> bool:
    """Whether every flatten among the layers is of one position, so that maps and vectors can be added."""
    return all(
        after.inputs == before.outputs
        for before, after in pairwise(layers)
        if (before.kind == "dense") != (after.kind == "dense")
    )


def _arrows(chain: Sequence[Layer]) -> str:
    names = [f"{layer.name}ᵀ" if not layer.certain else layer.name for layer in chain]
    if len(names) > 8:
        names = [*names[:4], "…", *names[-3:]]
    return " → ".join(names)


def _ambiguity(described: str, readings: Sequence[str]) -> str:
    more = f" or {len(readings) - 2} others" if len(readings) > 2 else ""
    return (
        f"these could be {described} in more than one way: {readings[0]}, or {readings[1]}{more}; "
        "the shapes do not decide"
    )
