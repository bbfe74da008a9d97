"""Rotary embeddings: the pairs that the tracer finds, proven, planted and recovered; where it refuses, and why."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from helpers import rotary_models
from helpers.rotary_models import TOKENS, Leaking, Rotary
from rebasin_fast.permutation import random_transform
from rebasin_fast.permutation.trial import TOLERANCE, Trial
from rebasin_fast.specs.symmetry import Pair, Role, Symmetry
from rebasin_fast.tracing import TracedSpec

WAYS = {
    "halves": (rotary_models.halves, [(0, 2), (1, 3)]),
    "neighbours": (rotary_models.neighbours, [(0, 1), (2, 3)]),
    "complex numbers": (rotary_models.complex_numbers, [(0, 1), (2, 3)]),
    "partial": (rotary_models.partial, [(0, 1)]),
}


def traced(model: torch.nn.Module) -> TracedSpec:
    return rf.trace_spec(model, TOKENS, verify=False)


def rotations(spec: rf.PermutationSpec) -> Symmetry | None:
    return next((symmetry for symmetry in spec.symmetries if symmetry.group == "rotations"), None)


@cache
def proven(way: str, *, bias: bool = False, tied: bool = False) -> tuple[Rotary, TracedSpec]:
    model = Rotary(WAYS[way][0], bias=bias, tied=tied)
    return model, rf.trace_spec(model, TOKENS)


@pytest.mark.parametrize("way", WAYS)
def test_pairs_are_found(way) -> None:
    found = rotations(proven(way)[1])
    assert found is not None
    pairs = WAYS[way][1]
    of_keys = tuple(Pair(number, *pair) for number, pair in enumerate(pairs))
    of_queries = tuple(
        Pair(number, first + start, second + start)
        for number, (first, second) in enumerate(pairs)
        for start in (0, 4)  # two heads of queries a head of keys
    )
    assert found.permutation == "query.heads"
    assert set(found.roles) == {
        Role("key.weight", 0, (-1,), of_keys),
        Role("query.weight", 0, (1,), of_queries),
    }


def test_biases_rotate_along() -> None:
    found = rotations(traced(Rotary(bias=True)))
    assert found is not None
    assert {role.parameter for role in found.roles} == {
        "query.weight", "query.bias", "key.weight", "key.bias",
    }  # fmt: skip


REFUSED = {
    "other angles": (lambda: Rotary(rotary_models.other_angles), "attention"),
    "reflected": (lambda: Rotary(rotary_models.reflected), "attention"),
    "normed": (lambda: Rotary(rotary_models.normed), "rms_norm"),
    "leaking": (Leaking, "key"),
}


@pytest.mark.parametrize(("build", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_rotation_is_refused_and_told(build, reason) -> None:
    spec = traced(build())
    assert rotations(spec) is None
    told = [line for line in spec.report().splitlines() if "no rotations, by" in line]
    assert any(reason in line or "tanh" in line for line in told), spec.report()


@pytest.mark.parametrize(
    ("way", "bias", "tied"),
    [
        ("halves", True, False),
        ("halves", False, True),
        ("neighbours", False, False),
        ("complex numbers", False, False),
        ("partial", False, False),
    ],
)
def test_a_planted_transform_is_recovered(way, bias, tied) -> None:
    model, spec = proven(way, bias=bias, tied=tied)
    assert rotations(spec) is not None
    trial = Trial(model, TOKENS, np.random.default_rng(3))
    normal = rf.normalise(spec, trial.params)
    assert trial.change_with(normal.params) < 10 * TOLERANCE
    transform = random_transform(spec, spec.sizes(normal.params), np.random.default_rng(4))
    planted = rf.apply_transform(spec, transform, normal.params)
    assert trial.change_with(planted) < 10 * TOLERANCE
    matching = rf.weight_matching(spec, normal.params, planted, symmetries="all", restarts=4)
    aim, found = matching.endpoints(normal.params, planted)
    assert trial.change_with(found) < 10 * TOLERANCE
    assert [name for name in aim if not torch.allclose(found[name], aim[name], rtol=0, atol=1e-6)] == []
    again = rf.apply_transform(matching.spec, matching.transform, planted)
    assert [name for name in again if not torch.allclose(again[name], found[name], rtol=0, atol=1e-9)] == []


def test_steps_never_lower_the_objective() -> None:
    _, spec = proven("halves")
    params = [
        {
            name: torch.from_numpy(rng.standard_normal(value.shape))
            for name, value in Rotary().state_dict().items()
        }
        for rng in map(np.random.default_rng, (0, 1))
    ]
    # 100 sweeps, the default, are too few for these unrelated models: the ascent passes a saddle (gains of 2e-5 about
    # sweep 80), and then each gain is three quarters of the one before, until the last, 1.4e-10 of 307, at sweep 307.
    matching = rf.weight_matching(spec, *params, symmetries="all", max_iter=1000)
    assert matching.converged
    values = [matching.first_objective, *matching.history]
    assert values == sorted(values)
    ends = matching.endpoints(*params)
    assert sum(float((ends[0][name] * ends[1][name]).sum()) for name in ends[0]) == pytest.approx(
        matching.objective
    )


def larger(spec: TracedSpec) -> dict[str, Symmetry]:
    """Groups one size too large: another pairing, a partner with the wrong sign, a place left out."""
    own = rotations(spec)
    assert own is not None
    swapped = {0: 0, 1: 1, 2: 3, 3: 2}

    def paired(pair: Pair) -> Pair:
        start = pair.first // 4 * 4
        return Pair(pair.rotation, pair.first, start + swapped[pair.second - start])

    return {
        "pairs": replace(own, roles=tuple(replace(r, pairs=tuple(map(paired, r.pairs))) for r in own.roles)),
        "direction": replace(
            own,
            roles=tuple(
                replace(r, pairs=tuple(Pair(p.rotation, p.second, p.first) for p in r.pairs))
                if r.parameter.startswith("key") else r
                for r in own.roles
            ),
        ),
        "exponent": replace(own, roles=tuple(replace(r, exponents=(1,)) for r in own.roles)),
        "place": replace(own, roles=own.roles[:1]),
    }  # fmt: skip


@pytest.mark.parametrize("fault", ["pairs", "direction", "exponent", "place"])
def test_a_group_one_size_too_large_is_refused(fault) -> None:
    model, spec = proven("halves")
    claimed = spec.with_symmetries([larger(spec)[fault]])
    with pytest.raises(
        rf.SpecError, match=r"the 'rotations' symmetry of 'query\.heads' changes the function"
    ):
        claimed.verify(model, TOKENS)


def test_a_tied_head_leaves_signs_and_tells_what_keeps_rotations_out() -> None:
    _, spec = proven("halves", tied=True)
    assert {s.group for s in spec.symmetries if s.permutation == "embed"} == {"signs"}
    (line,) = [line for line in spec.report().splitlines() if line.startswith("embed:")]
    assert line.endswith("signs; no rotations, by 'embed.weight', which is used more than once")
    assert {role.parameter for role in spec.symmetries[0].roles} >= {"norm.weight", "last.weight"}
