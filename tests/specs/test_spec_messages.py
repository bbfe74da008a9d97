"""Specs that do not fit: each message names the parameter, the axis, the length found and the length expected."""

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.axis import Concat, Fixed, Product, Slice, blocks

MLP = rf.PermutationSpec({"fc1.weight": ("P", None), "fc1.bias": ("P",), "fc2.weight": (None, "P")})


def zeros(**shapes):
    return {name.replace("_", "."): np.zeros(shape) for name, shape in shapes.items()}


def refusal(spec, params):
    with pytest.raises(rf.SpecError) as caught:
        spec.validate(params)
    return str(caught.value)


FC = {"fc1_weight": (4, 2), "fc1_bias": (4,)}
PIECES = rf.PermutationSpec({"w": (Concat(Slice("Q", 0, 2), Slice("Q", 2, 4)),), "b": ("Q",)})
REFUSALS = {
    "wrong size": (
        MLP, {**FC, "fc2_weight": (3, 5)},
        ["'fc2.weight' axis 1 has length 5; expected 4", "'P' has 4 units by 'fc1.weight' axis 0"],
    ),
    "missing parameter": (
        MLP, {**FC, "fc2_weigth": (3, 4)},
        ["'fc2.weight', which the parameters lack (the nearest name is 'fc2.weigth')"],
    ),
    "parameter outside the spec": (
        MLP, {**FC, "fc2_weight": (3, 4), "fc2_bias": (3,)}, ["'fc2.bias' is not in the spec", "one entry per axis"],
    ),
    "no multiple": (
        rf.PermutationSpec({"w": (blocks("P", 49),)}), {"w": (100,)},
        ["'w' axis 0 has length 100; expected a positive multiple of 49"],
    ),
    "too short for its pieces": (
        rf.PermutationSpec({"w": (Concat(Fixed(5), "P"),)}), {"w": (5,)},
        ["'w' axis 0 has length 5; expected a positive multiple of 1 after 5 positions"],
    ),
    "no units": (
        rf.PermutationSpec({"w": ("P", None)}), {"w": (0, 3)},
        ["'w' axis 0 has length 0; expected a positive multiple of 1"],
    ),
    "declared size": (
        rf.PermutationSpec({"w": ("P",)}, sizes={"P": 4}), {"w": (5,)},
        ["'w' axis 0 has length 5; expected 4", "'P' has 4 units by the sizes given to the spec"],
    ),
    "size by slices": (
        PIECES, {"w": (4,), "b": (5,)}, ["'b' axis 0 has length 5; expected 4", "'Q' has 4 units by its slices"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_names_parameter_axis_found_and_expected(case):
    spec, shapes, parts = REFUSALS[case]
    message = refusal(spec, zeros(**shapes))
    for part in parts:
        assert part in message


def test_fixed_for_a_whole_axis_checks_its_length():
    spec = rf.PermutationSpec({"w": (Fixed(10), "P")})
    spec.validate(zeros(w=(10, 2)))
    assert "'w' axis 0 has length 9; expected 10" in refusal(spec, zeros(w=(9, 2)))


def test_sizes_that_no_axis_tells_must_be_given():
    axes = {"q": (Product("heads", "dims"),)}
    message = refusal(rf.PermutationSpec(axes), zeros(q=(12,)))
    assert "sizes of ['heads', 'dims'] cannot be determined" in message
    assert "sizes={'heads': ...}" in message
    spec = rf.PermutationSpec(axes, sizes={"heads": 3})
    assert spec.sizes(zeros(q=(12,))) == {"heads": 3, "dims": 4}
    assert "'q' axis 0 has length 13; expected a positive multiple of 3" in refusal(spec, zeros(q=(13,)))


@pytest.mark.parametrize(
    ("slices", "length", "message"),
    [
        ([Slice("Q", 0, 2), Slice("Q", 3, 4)], 3, "leave out unit 2 of 4"),
        ([Slice("Q", 1, 3)], 2, "leave out unit 0 of 3"),
        ([Slice("Q", 0, 2), Slice("Q", 1, 3)], 4, "overlaps another slice of 'Q'"),
    ],
)
def test_slices_cover_each_unit_once(slices, length, message):
    spec = rf.PermutationSpec({"w": (Concat(*slices),)})
    found = refusal(spec, zeros(w=(length,)))
    assert message in found
    assert "'w' axis 0" in found


def test_slices_and_whole_axes_agree_on_the_size():
    PIECES.validate(zeros(w=(4,), b=(4,)))


def test_slices_tell_the_size_that_a_product_asks_for():
    spec = rf.PermutationSpec({"w": (Product("P", "Q"),), "v": (Concat(Slice("Q", 0, 3), Fixed(1)),)})
    assert spec.sizes(zeros(w=(12,), v=(4,))) == {"P": 4, "Q": 3}


def test_unmatched_and_sizes_name_what_the_spec_has():
    with pytest.raises(rf.SpecError, match=r"unmatched names 'bn\.mean'"):
        rf.PermutationSpec({"w": ("P",)}, ["bn.mean"])
    with pytest.raises(rf.SpecError, match=r"sizes names 'Q', which stands on no axis"):
        rf.PermutationSpec({"w": ("P",)}, sizes={"Q": 3})
    with pytest.raises(rf.SpecError, match=r"sizes\['P'\] must be a positive integer, got 0"):
        rf.PermutationSpec({"w": ("P",)}, sizes={"P": 0})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"axes": {}}',
        '{"format": "rebasin_fast.permutation_spec/1"}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": [{"fixed": 1.5}]}}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": [{"slice": ["Q", 0]}]}}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": [{"what": 1}]}}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": [3]}}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": 3}}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": [1]}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {}, "unmatched": 3}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": ["P"]}, "sizes": 3}',
        '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": ["P"]}, "sizes": {"P": "x"}}',
        "[" * 100_000,
    ],
    ids=lambda text: text[-40:] or "empty",
)
def test_json_of_something_else_is_a_spec_error(text):
    with pytest.raises(rf.SpecError, match=r"JSON|sizes"):
        rf.PermutationSpec.from_json(text)


def test_the_views_of_a_spec_do_not_reach_into_it():
    axes = {"w": ["P", None], "mean": ["P"]}
    spec = rf.PermutationSpec(axes, ["mean"], sizes={"P": 3})
    axes["w"][0] = "Q"
    axes["v"] = ["R"]
    spec.axes_to_perm["v"] = ("R",)
    spec.perm_to_axes["P"].clear()
    spec.declared_sizes["R"] = 2
    with pytest.raises(TypeError):
        spec.parents["R"] = ()
    assert spec == rf.PermutationSpec({"w": ("P", None), "mean": ("P",)}, ["mean"], sizes={"P": 3})
    assert spec.perm_to_axes == {"P": [("w", 0), ("mean", 0)]}
    assert spec.unmatched == ("mean",)
    assert spec != rf.PermutationSpec({"w": ("P", None), "mean": ("P",)}, sizes={"P": 3})
    assert spec != "spec"


def test_the_spec_of_git_re_basin_is_accepted_as_it_is():
    axes_to_perm = {
        "Dense_0/kernel": (None, "P_0"),
        "Dense_0/bias": ("P_0",),
        "Dense_1/kernel": ("P_0", None),
    }
    spec = rf.PermutationSpec(axes_to_perm)
    assert spec.perm_to_axes == {"P_0": [("Dense_0/kernel", 1), ("Dense_0/bias", 0), ("Dense_1/kernel", 0)]}
    assert spec.axes_to_perm == axes_to_perm


def test_a_prefix_goes_before_every_name():
    spec = rf.PermutationSpec({"w": ("P",), "mean": ("P",)}, ["mean"], sizes={"P": 3}).with_prefix("module.")
    assert list(spec.axes_to_perm) == ["module.w", "module.mean"]
    assert spec.unmatched == ("module.mean",)
    assert spec.declared_sizes == {"P": 3}
