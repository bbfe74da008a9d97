"""Nonsense in the place of one argument: an error of this package, or a TypeError or ValueError that names it.

Every public name has its place, and every place is tried with every kind of nonsense: a third of them in the quick
run, another third in the next place, and all in the slow one.
"""

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

import rebasin_fast as rf
from calls.judgement import wrong_answer
from calls.nonsense import NONSENSE
from calls.public import EXCEPTIONS, is_excepted, places_of, public_functions
from calls.rooms import analysis, assignment, compat, evaluation, matching, merging, permutations, specs

CALLS = [
    call
    for room in (assignment, specs, permutations, matching, merging, evaluation, analysis, compat)
    for call in room.CALLS
]


def plain(function):
    """The function of a bound one."""
    return getattr(function, "__func__", function)


# The first call that has an argument tries it: (function, parameter) -> call.
PLACES = {(plain(call.function), argument): call for call in reversed(CALLS) for argument in call.arguments()}
PARTS = 6  # of the kinds: one in the quick run


def tried_kinds(call, argument, number, every):
    for place, kind in enumerate(NONSENSE):
        if kind == "function" and call.takes_functions(argument):
            continue  # the errors of the user's functions are the user's own
        if every != (place % PARTS == number % PARTS):
            yield kind


def faults_of(number, every):
    (_, argument), call = list(PLACES.items())[number]
    faults = {}
    for kind in tried_kinds(call, argument, number, every):
        fault = wrong_answer(call, argument, kind, NONSENSE[kind]())
        if fault is not None:
            faults[kind] = fault
    return faults


IDS = [f"{call.name}-{argument}" for (_, argument), call in PLACES.items()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(len(PLACES)), ids=IDS)
def test_nonsense_is_refused_by_name(number):
    assert not faults_of(number, every=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(len(PLACES)), ids=IDS)
def test_all_other_nonsense_is_refused_by_name(number):
    assert not faults_of(number, every=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS, ids=[f"{call.name}-{number}" for number, call in enumerate(CALLS)])
def test_calls_are_right_without_nonsense(call):
    call(**call.arguments())


def test_every_parameter_of_every_public_name_has_a_place():
    left_out = [
        place
        for function in public_functions()
        for parameter, place in places_of(function).items()
        if (function, parameter) not in PLACES and not is_excepted(function, parameter)
    ]
    assert left_out == []


def test_exceptions_are_of_names_that_exist():
    names = {name for function in public_functions() for name in named(function)}
    assert [key for key in EXCEPTIONS if key not in names] == []


def named(function):
    name = function.__qualname__
    return {name, name.split(".")[0], f"{name}.__init__", *places_of(function).values()}


@pytest.mark.parametrize("kind", [kind for kind in NONSENSE if kind not in ("text", "NUL", "long text")])
def test_pieces_of_a_concat(kind):
    with pytest.raises(rf.SpecError):
        rf.axis.Concat("P", NONSENSE[kind]())
