"""Specs as JSON: axis entries nested at random, with the shapes that they fit, and parts of the wrong kind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

import rebasin_fast as rf
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.layout import length_of

from .case import Case
from .json_texts import text_of, write

_NAMES = ("P", "Q", "R", "S")
_LONGEST_AXIS = 200


def entry(draw: random.Random, depth: int = 0) -> Any:
    """An axis entry as JSON, mostly a right one."""
    match draw.randrange(12) if depth < 4 else 0:
        case 0 | 1 | 2 | 3:
            return draw.choice(_NAMES)
        case 4:
            return {"fixed": draw.choice((1, 2, 3, 10**18, 10**40, 0))} if depth else None
        case 5 | 6:
            return {"product": [entry(draw, depth + 1), entry(draw, depth + 1)]}
        case 7 | 8:
            return {"concat": [entry(draw, depth + 1) for _ in range(draw.randint(1, 4))]}
        case 9:
            at = draw.choice((1, 2, 3, 10**17))
            start = 0 if draw.random() < 0.8 else draw.choice((at - 1, 10**18))
            pieces = [{"slice": ["T", start, at]}, entry(draw, depth + 1), {"slice": ["T", at, at + 1]}]
            return {"concat": pieces}
        case 10:
            return {"joined": entry(draw, depth + 1)}
        case _:
            return _large(draw)


def _large(draw: random.Random) -> Any:
    kinds: tuple[Any, ...] = (
        lambda inner, n: {"product": [{"concat": [f"a{n}", f"b{n}"]}, inner]},
        lambda inner, n: {"product": [f"a{n}", inner]},
        lambda inner, n: {"product": [{"fixed": 1}, inner]},
        lambda inner, n: {"concat": [inner, inner]},
        lambda inner, n: {"joined": inner},
    )
    grow, result = draw.choice(kinds), "P"
    doubles = grow is kinds[3]
    for number in range(draw.choice((2, 3, 5) if doubles else (2, 9, 30, 33, 70))):
        result = grow(result, number)
    return result


def spec_json(draw: random.Random) -> dict[str, Any]:
    """A spec of a few parameters, as JSON."""
    axes = {
        f"w{n}": [entry(draw) for _ in range(draw.choice((0, 1, 1, 2, 2, 3)))]
        for n in range(draw.randint(0, 5))
    }
    if draw.random() < 0.03:
        axes["many"] = [draw.choice((None, "P"))] * draw.choice((33, 65, 200))
    if draw.random() < 0.03:
        axes["pairs"] = draw.choice(({"P": 0}, "PQ", [["P", 0]], [[]]))
    spec: dict[str, Any] = {"format": "rebasin_fast.permutation_spec/1", "axes": axes}
    if draw.random() < 0.3:
        spec["unmatched"] = [name for name in axes if draw.random() < 0.5]
    if draw.random() < 0.3:
        spec["sizes"] = {name: draw.choice((1, 2, 3, 10**18)) for name in draw.sample(_NAMES, 2)}
    return spec


def _params(spec: rf.PermutationSpec, draw: random.Random) -> dict[str, Any]:
    """Parameters that fit the spec where they are small, and some that do not."""
    sizes = {name: draw.randint(1, 3) for name in spec.permutations} | spec.declared_sizes
    params = {}
    for name, entries in spec.axes_to_perm.items():
        shape = [2 if one is None else min(length_of(one, sizes), _LONGEST_AXIS) for one in entries]
        if draw.random() < 0.03:
            shape = draw.choice((shape[:-1], [*shape, 1], [n + 1 for n in shape], [0] * len(shape)))
        if len(shape) <= 16 and np.prod(shape, dtype=float) < 1e5:
            params[name] = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    return params


def read_spec(path: Path) -> None:
    """The spec, its sizes for parameters, and the identity, which changes nothing."""
    spec = rf.PermutationSpec.from_json(path.read_bytes().decode("utf-8", "replace"))
    assert rf.PermutationSpec.from_json(spec.to_json()) == spec
    draw = random.Random(path.stat().st_size)
    params = _params(spec, draw)
    sizes = spec.sizes(params)
    if not params or sum(sizes.values()) > 1000 or set(params) != set(spec.axes_to_perm):
        return
    spec.validate(params)
    found = rf.weight_matching(spec, params, params, rng=0, max_iter=2)
    assert set(found.permutation) == set(sizes)
    moved = rf.apply_permutation(spec, found.permutation, params)
    assert all(np.array_equal(np.sort(moved[name], None), array.ravel()) for name, array in params.items())


def case(draw: random.Random) -> Case:
    """A spec in a file."""
    raw = text_of(draw, spec_json(draw)) if draw.random() < 0.5 else write(spec_json(draw)).encode()
    return Case({"spec.json": raw}, "spec.json", read_spec, (SpecError,))
