"""Nonsense in the place of one argument: an error of this package, or a TypeError or ValueError that names it."""

import pytest

pytest.importorskip("torch")

from calls.senseless import CALLS, NONSENSE, wrong_answer

OF_CALLS = [(call, argument) for call in CALLS for argument in call.arguments()]
# Functions of the user raise the user's own errors.
FUNCTIONS = ("evaluate", "loss", "batches")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("call", "argument"), OF_CALLS, ids=[f"{call.name}-{argument}" for call, argument in OF_CALLS]
)
def test_nonsense_is_refused_by_name(call, argument):
    faults = {}
    for kind, nonsense in NONSENSE.items():
        if kind == "function" and argument in FUNCTIONS:
            continue
        fault = wrong_answer(call, argument, nonsense)
        if fault is not None:
            faults[kind] = fault
    assert not faults
