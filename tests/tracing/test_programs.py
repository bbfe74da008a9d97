"""Random small programs: the permutations found preserve the function, and are all that there are."""

from __future__ import annotations

from itertools import permutations
from math import factorial, log10

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rebasin_fast as rf
from helpers.programs import Program, symmetries

HIDDEN = 6
ROWS = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))


@st.composite
def readings(draw: st.DrawFn) -> list[list[list[int]]]:
    """For each of several readers, runs of the hidden units that it puts one after the other."""
    readers = []
    for _ in range(draw(st.integers(1, 3))):
        cuts = sorted(draw(st.sets(st.integers(1, HIDDEN - 1), max_size=3)))
        runs = [list(range(a, b)) for a, b in zip([0, *cuts], [*cuts, HIDDEN], strict=True)]
        chosen = draw(st.permutations(runs))[: draw(st.integers(1, len(runs)))]
        readers.append([run[::-1] if draw(st.booleans()) else run for run in chosen])
    return readers


def reader_model(readers: list[list[list[int]]]) -> nn.Module:
    def body(m: Program, x: torch.Tensor) -> list[torch.Tensor]:
        h = m.first(x).tanh()
        outputs = []
        for number, runs in enumerate(readers):
            pieces = []
            for run in runs:
                piece = h[:, min(run) : max(run) + 1]
                pieces.append(piece.flip(-1) if run[0] > run[-1] else piece)
            outputs.append(getattr(m, f"reader{number}")(torch.cat(pieces, -1)))
        return outputs

    layers = {
        f"reader{number}": nn.Linear(sum(map(len, runs)), 2, bias=False)
        for number, runs in enumerate(readers)
    }
    return Program(body, first=nn.Linear(2, HIDDEN), **layers)


@pytest.mark.slow
@settings(max_examples=25)
@given(readings())
def test_units_that_the_same_readers_see_are_all_exchanged(readers: list[list[list[int]]]) -> None:
    """By brute force: an order of the hidden units is free where every reader keeps the set that it sees.

    Units that no reader sees stay: other inputs, or another mode of the program, may have them read.
    """
    seen = [{unit for run in runs for unit in run} for runs in readers]
    unseen = [{unit} for unit in set(range(HIDDEN)) - set().union(*seen)]
    free = sum(
        all({order[u] for u in units} == units for units in (*seen, *unseen))
        for order in permutations(range(HIDDEN))
    )
    model = reader_model(readers)
    spec = rf.trace_spec(model, ROWS)
    assert spec.log10_symmetries(model.state_dict()) == pytest.approx(log10(free))


CHAINS = {
    "relu": lambda h: h.relu(),
    "twice": lambda h: h + h,
    "swap halves": lambda h: torch.cat([h[:, 6:], h[:, :6]], 1),
    "add halves": lambda h: torch.cat([h[:, :6] + h[:, 6:], h[:, 6:]], 1),
    "norm of threes": lambda h: torch.nn.functional.layer_norm(h.view(-1, 4, 3), (3,)).flatten(1),
    "softmax of fours": lambda h: h.view(-1, 3, 4).softmax(-1).flatten(1),
    "mean of twos": lambda h: h.view(-1, 6, 2).mean(-1).repeat_interleave(2, 1) + h,
    "shuffle": lambda h: h.view(-1, 3, 4).transpose(1, 2).flatten(1),
    "roll": lambda h: h + h.roll(6, 1),
    "first by the rest": lambda h: h * h[:, :1],
}


def chain(names: list[str]) -> Program:
    def body(m: Program, x: torch.Tensor) -> torch.Tensor:
        h = m.first(x)
        for name in names:
            h = CHAINS[name](h)
        return m.last(h)

    return Program(body, first=nn.Linear(2, 12), last=nn.Linear(12, 2))


@settings(max_examples=10)  # nightly/fuzz_tracing.py draws longer chains of more operations
@given(st.lists(st.sampled_from(sorted(CHAINS)), min_size=1, max_size=4))
def test_chains_preserve_the_function(names: list[str]) -> None:
    spec = rf.trace_spec(chain(names), ROWS)  # verified in there
    assert not [axis for axis in spec.frozen if "rule" in axis.operation]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["relu", "twice"], [(12,)]),
        (["swap halves"], [(12,)]),
        (["norm of threes"], [(4,), (4, 3)]),
        (["softmax of fours"], [(3,), (3, 4)]),
        (["roll"], [(6,)]),
        (["mean of twos"], [(6,), (6, 2)]),
        (["first by the rest"], [(11,)]),
    ],
)
def test_chains_are_as_free_as_they_can_be(names: list[str], expected: list[tuple[int, ...]]) -> None:
    spec = rf.trace_spec(chain(names), ROWS)
    assert sorted(symmetries(spec).elements()) == sorted(expected)


def test_a_spec_that_would_change_the_function_is_not_returned() -> None:
    """A rule that says too little is found out by the proof, which names what it found."""
    from rebasin_fast.tracing import Value, register_rule

    class Ordered(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.cumsum(-1)

    model = nn.Sequential(nn.Linear(2, 5), Ordered(), nn.Linear(5, 2))
    register_rule(Ordered, lambda call: Value(call.inputs[0].shape, list(call.inputs[0].groups)))
    try:
        with pytest.raises(rf.SpecError, match="permutation '0' changes the function of the model"):
            rf.trace_spec(model, ROWS)
        unproven = rf.trace_spec(model, ROWS, verify=False)
    finally:
        register_rule(Ordered, None)
    assert symmetries(unproven) == {(5,): 1}
    assert rf.trace_spec(model, ROWS).permutations == ()
    assert factorial(5) == round(10 ** unproven.log10_symmetries(model.state_dict()))
