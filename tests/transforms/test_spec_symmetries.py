"""Symmetries in a spec: where they stand, and as JSON."""

import json
from dataclasses import replace

import pytest

import rebasin_fast as rf
from helpers.symmetric_networks import NETWORKS
from rebasin_fast.specs.symmetry import Norm, Reader, Role, Symmetry

AXES = {"w": ("P", None), "gain": ("P",), "r": (None, "P"), "b": (None,)}
ROLES = (Role("w", 0, (1,)), Role("r", 1, (-1,)))
NORM = Norm("rms", "gain", None, (Reader("r", 1, "b"),))
GOOD = Symmetry("P", "orthogonal", ROLES, (NORM,))


@pytest.mark.parametrize("name", NETWORKS)
def test_json_and_names(name):
    spec = NETWORKS[name].spec
    assert rf.PermutationSpec.from_json(spec.to_json()) == spec
    there = spec.with_prefix("module.")
    assert there != spec
    assert there.renamed({f"module.{name}": name for name in spec.axes_to_perm}) == spec


@pytest.mark.parametrize(
    ("symmetry", "message"),
    [
        (replace(GOOD, permutation="Q"), "names the permutation 'Q', which stands on no axis"),
        (replace(GOOD, roles=(Role("w", 1, (1,)),)), "acts on axis 1 of 'w', where it does not stand"),
        (replace(GOOD, roles=(Role("w", 0, (2,)),)), r"exponents \(2,\) on 'w'; they are -1, 0 or 1"),
        (replace(GOOD, roles=(Role("w", 0, ()),)), r"exponents \(\) on 'w'"),
        (
            replace(GOOD, norms=(replace(NORM, kind="batch"),)),
            "is of kind 'batch'; 'rms' or 'layer' is expected",
        ),
        (replace(GOOD, norms=(replace(NORM, gain="b"),)), "has the gain 'b', where its units do not stand"),
        (
            replace(GOOD, norms=(replace(NORM, gain=[1]),)),
            r"has the gain \[1\], where its units do not stand",
        ),
        (replace(GOOD, norms=(replace(NORM, bias="x"),)), "has the bias 'x', where its units do not stand"),
        (replace(GOOD, norms=(replace(NORM, readers=(Reader("r", 0),)),)), "is read by axis 0 of 'r'"),
        (replace(GOOD, norms=(replace(NORM, readers=(Reader("r", "1"),)),)), "is read by axis '1' of 'r'"),
        (
            replace(GOOD, norms=(replace(NORM, readers=(Reader("r", 1, 5),)),)),
            "a reader with the bias 5; a name",
        ),
    ],
)
def test_what_does_not_fit_the_axes_is_refused(symmetry, message):
    rf.PermutationSpec(AXES, symmetries=[GOOD])
    with pytest.raises(rf.SpecError, match=message):
        rf.PermutationSpec(AXES, symmetries=[symmetry])


@pytest.mark.parametrize("given", [5, "P", {"P": GOOD}, [5], [GOOD, GOOD]])
def test_what_is_no_sequence_of_symmetries_is_refused(given):
    with pytest.raises(
        rf.SpecError, match=r"symmetries is a sequence of Symmetry|has two symmetries of group"
    ):
        rf.PermutationSpec(AXES, symmetries=given)


@pytest.mark.parametrize(
    "value",
    [3, [3], [{}], [["P"]], [{"permutation": "P", "group": "all", "roles": [], "norms": []}],
     [{"permutation": "P", "group": "orthogonal", "roles": [["w", 0, [1]]],
       "norms": [{"kind": "x", "gain": None, "bias": None, "readers": []}]}],
     [{"permutation": ["P"], "group": "signs", "roles": [], "norms": []}],
     [{"permutation": "P", "group": ["signs"], "roles": [], "norms": []}],
     [{"permutation": "P", "group": "signs", "roles": [["w", 0, 1]], "norms": []}],
     [{"permutation": "P", "group": "signs", "roles": [["w", [0], [1]]], "norms": []}]],
)  # fmt: skip
def test_malformed_json_is_refused(value):
    text = json.dumps(json.loads(rf.PermutationSpec(AXES).to_json()) | {"symmetries": value})
    with pytest.raises(rf.SpecError):
        rf.PermutationSpec.from_json(text)
