"""State files whose digest is right and whose values are not: refused by name, or of no consequence."""

import copy
import importlib
import json
import os
import pkgutil

import numpy as np
import pytest
import torch  # noqa: F401  of the cases: without it these tests are left out

import rebasin_fast as rf
from helpers.state_cases import CASES
from helpers.state_files import rewrite
from rebasin_fast.evaluation.result import Result
from rebasin_fast.matching.state_file import StateFile

pytestmark = pytest.mark.slow

DEEP: list = []
for _ in range(50):
    DEEP = [DEEP]
MISSING = object()
NONSENSE = {
    "null": None, "true": True, "a text": "seven", "negative": -1, "a half": 0.5, "10**30": 10**30,
    "NaN": float("nan"), "infinite": float("inf"), "a list": [], "a mapping": {}, "nested": DEEP, "missing": MISSING,
}  # fmt: skip


def test_every_state_file_of_the_package_is_mutated_here():
    kinds = set()
    for module in pkgutil.walk_packages(rf.__path__, "rebasin_fast."):
        if not module.name.endswith("__main__"):
            found = vars(importlib.import_module(module.name)).values()
            kinds |= {value.kind for value in found if isinstance(value, StateFile)}
    kinds |= {
        f"rebasin_fast.{each.__name__}"
        for each in Result.__subclasses__()
        if "rebasin_fast" in each.__module__
    }
    kinds |= {"rebasin_fast.many_matching"}
    assert len(kinds) == len(CASES) - 1  # merge_many writes what ManyMatching does, and its generator


def places(value, at=()):
    """The path of every value in a JSON value, the containers included; of lists the first and the last."""
    if at:
        yield at
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*at, name))
    elif isinstance(value, list):
        for number in sorted({0, len(value) - 1} & set(range(len(value)))):
            yield from places(value[number], (*at, number))


def mutated_account(account, place, nonsense):
    changed = copy.deepcopy(account)
    inside = changed
    for step in place[:-1]:
        inside = inside[step]
    if nonsense is MISSING:
        del inside[place[-1]]
    else:
        inside[place[-1]] = nonsense
    return changed


def mutated_arrays(array):
    yield "missing", None
    yield "two axes more", array[None, None]
    yield "complex", array.astype(np.complex128)
    yield "flags", np.ones(array.shape, np.bool_)
    yield "bytes", np.frombuffer(array.tobytes(), np.uint8)
    if array.size:
        yield "shorter", array[:-1] if array.ndim else array.reshape(1)[:0]
        yield "longer", np.concatenate([array, array]) if array.ndim else array.reshape(1)
        yield "empty", array[:0] if array.ndim else array.reshape(1)[:0]
    if array.dtype.kind == "f":
        yield "whole numbers", np.nan_to_num(array).astype(np.int64)
        yield "NaN", np.full_like(array, np.nan)
    else:
        yield "real", array.astype(np.float64)
        yield "noughts", np.zeros_like(array)
        yield "large", np.full(array.shape, 2**62, np.int64)
        yield "negative", np.full(array.shape, -1, np.int64)


def files(good):
    """Every mutation: its name, and the contents of the file."""
    account = json.loads(good["account"].tobytes())
    for place in places(account):
        for name, nonsense in NONSENSE.items():
            if place != ("key",):
                yield (*place, name), with_account(good, mutated_account(account, place, nonsense))
    yield ("unknown field",), with_account(good, {**account, "surplus": 1})
    yield ("unknown array",), {**good, "surplus": np.ones(2)}
    yield ("no mapping",), with_account(good, [account])
    for array in good:
        if array != "account":
            for name, changed in mutated_arrays(good[array]):
                others = {other: good[other] for other in good if other != array}
                yield (array, name), others if changed is None else {**others, array: changed}


def with_account(good, account):
    return {**good, "account": np.frombuffer(json.dumps(account).encode(), np.uint8)}


# What another run could have had, under the paths that begin so: no reader can tell it from this one's.
_NUMBER = {"negative", "a half"}
_MEASURED = {*_NUMBER, "NaN", "infinite"}
ALLOWED = {
    "merge_many": {("converged",): {"true"}},
    "many_matching": {("history",): {*_NUMBER, "missing", "a list"}, ("first_objective",): _NUMBER},
    "straight_through": {
        ("changed",): {"true"}, ("losses",): _NUMBER, ("history",): _NUMBER, ("evaluations",): _MEASURED,
    },
    "connect": {  # numbers and moments of the optimizer, whose meaning it alone knows
        ("losses",): _NUMBER, ("optimizer", "groups"): {"a half"},
        ("optimizer/", "exp_avg"): {"flags", "whole numbers"},
    },
    "LossCurve": {("mapping/values",): {"NaN", "missing"}},
    "ModeCurve": {
        ("mapping/points", "w"): {"complex", "flags", "bytes", "whole numbers", "NaN"},
        ("mapping/points", "n"): {  # whole numbers are A's own, whatever the others hold
            "missing", "two axes more", "complex", "flags", "bytes", "shorter", "longer", "empty", "real", "noughts",
            "large", "negative",
        },
        ("array/losses",): {"shorter", "longer", "empty"},
    },
    "merge": {("candidates", "values"): _MEASURED, ("candidates", "t"): {"a half", "null"}},
    "Merged": {
        ("fields", "table", "t"): {"null"}, ("fields", "matching", "objective"): _NUMBER,
        ("fields", "notes"): {"a list", "a text", "missing"}, ("mapping/params",): {"NaN", "missing", "complex"},
        ("mapping/params", "fc2"): {"shorter", "longer", "empty"},  # outputs, of any number
    },
    "LossPlane": {("mapping/values",): {"NaN"}},
    "LossSimplex": {("mapping/values",): {"NaN"}},
    "MutualBarriers": {("fields", "names"): {"a text"}, ("mapping/values",): {"NaN"}},
    "DistanceReduction": {
        ("fields", "layers"): {"a text"}, ("fields", "total"): {"a half", "NaN", "infinite"},
        ("array/before",): {"NaN"}, ("array/after",): {"NaN"},
    },
    "TaylorBarrier": {
        ("array/losses",): {"NaN"}, ("array/first",): {"NaN"}, ("array/second",): {"NaN"}, ("array/measured",): {"NaN"},
    },
    "InputAlignment": {
        ("mapping",): {"NaN"}, ("array/samples",): {"noughts", "large"}, ("array/widths",): {"large"},
    },
    "SingularAlignment": {
        ("mapping",): {"NaN"}, ("mapping/values_average",): {"NaN", "shorter", "longer", "empty"},
        ("array/ratios",): {"NaN"}, ("array/counts",): {"noughts"}, ("fields", "ratio"): {"negative", "NaN"},
        ("fields", "threshold"): {"a half"},
    },
    "Episode": {
        ("fields", "delta_norm"): {"a half", "infinite"}, ("fields", "change_norm"): {"a half", "infinite"},
        ("fields", "start_norm"): {"a half", "infinite"}, ("fields", "alpha"): {"a half"},
        ("fields", "beta"): {"a half"}, ("fields", "learning_rate"): {"a half"},
        ("mapping/permutation",): {"two axes more", "shorter", "empty"},
    },
}  # fmt: skip


def is_allowed(case, mutation):
    *place, label = mutation
    at = "/".join(map(str, place))
    return any(
        at.startswith(where[0]) and all(part in at for part in where) and label in labels
        for where, labels in ALLOWED.get(case, {}).items()
    )


def outcome(go_on, whole, path):
    """Empty where the file was refused by its name, or gave the right result; else what came out."""
    try:
        found = go_on()
    except rf.FileFormatError as error:
        return "" if str(path) in str(error) else f"an error without the file: {error}"
    except BaseException as error:
        return repr(error)[:200]
    return "" if found == whole else "another result"


@pytest.mark.parametrize("case", CASES)
def test_every_mutation_is_refused_or_of_no_consequence(case, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    path = tmp_path / "state.npz"
    go_on = CASES[case](path)
    good = {name: np.array(array) for name, array in rf.load_params(path).items() if name != "digest"}
    rewrite(path, good)
    whole = go_on()
    wrong, tried = [], 0
    for mutation, contents in files(good):
        rewrite(path, contents)
        tried += 1
        found = outcome(go_on, whole, path)
        if found and not (found == "another result" and is_allowed(case, mutation)):
            wrong.append((mutation, found))
    assert tried > 20
    assert not wrong, "\n".join(map(str, wrong))
