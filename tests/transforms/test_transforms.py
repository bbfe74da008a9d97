"""Transforms themselves: drawn, checked, applied to arrays of every kind, inverted, composed."""

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.strategies import spec_cases
from rebasin_fast.axis import Fixed, Product
from rebasin_fast.permutation import check_transform, identity_transform, random_transform, transformed_params
from rebasin_fast.permutation.transforms.algebra import whole_matrices
from rebasin_fast.specs.symmetry import Norm, Reader, Role, Symmetry
from reference.transforms import number_of_copies, transformed

ROLES = (Role("up", 0, (1,)), Role("down", 1, (-1,)))
AXES = {"up": ("P", None), "down": (None, "P")}


def spec_with(group, **fields):
    return rf.PermutationSpec(AXES, symmetries=[Symmetry("P", group, ROLES, **fields)])


@st.composite
def symmetric_cases(draw):
    """Specs of every kind of entry whose permutations have groups with exponents of all kinds."""
    case = draw(spec_cases())
    outer = {parent for parents in case.spec.parents.values() for parent in parents}
    symmetries = []
    for name in case.spec.permutations:
        groups = ["signs", "scales", "linear", "orthogonal"][: 2 if name in outer else 4]
        chosen = draw(st.sets(st.sampled_from(groups), max_size=2))
        roles = draw(_roles(case, name))
        for group in chosen:
            # Factors act as the matrix does; without one, signs and scales may act differently.
            own = roles if chosen & {"linear", "orthogonal"} else draw(_roles(case, name))
            symmetries.append(Symmetry(name, group, own))
    spec = rf.PermutationSpec(
        case.spec.axes_to_perm, case.spec.unmatched, sizes=case.spec.declared_sizes, symmetries=symmetries
    )
    return spec, case.params()


@st.composite
def _roles(draw, case, name):
    roles = []
    for parameter, axis in case.spec.perm_to_axes[name]:
        copies = number_of_copies(case.spec, case.sizes, name, parameter, axis)
        count = draw(st.sampled_from([1, copies]))
        exponents = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=count, max_size=count))
        roles.append(Role(parameter, axis, tuple(exponents)))
    return tuple(roles)


def assert_close(found, expected, tolerance=1e-11):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, rtol=0, atol=tolerance * max(1, np.abs(array).max(initial=0))
        )


@settings(max_examples=40, deadline=None)
@given(case=symmetric_cases(), seed=st.integers(0, 99))
def test_the_dense_reference_agrees(case, seed):
    spec, params = case
    drawn = random_transform(spec, spec.sizes(params), np.random.default_rng(seed))
    assert_close(rf.apply_transform(spec, drawn, params), transformed(spec, drawn, params))


@settings(max_examples=40, deadline=None)
@given(case=symmetric_cases(), seed=st.integers(0, 99))
def test_inverses_and_compositions(case, seed):
    spec, params = case
    rng = np.random.default_rng(seed)
    first, second = (random_transform(spec, spec.sizes(params), rng) for _ in "ab")
    moved = rf.apply_transform(spec, first, params)
    assert_close(rf.apply_transform(spec, rf.invert_transform(first, spec), moved), params)
    both = rf.compose_transforms(first, second, spec)
    assert_close(rf.apply_transform(spec, both, params), rf.apply_transform(spec, second, moved))
    neither = rf.compose_transforms(first, rf.invert_transform(first, spec), spec)
    for name in spec.permutations:
        matrices = whole_matrices(neither, name)
        np.testing.assert_allclose(
            matrices, np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape), atol=1e-11
        )


@settings(max_examples=40, deadline=None)
@given(case=symmetric_cases(), seed=st.integers(0, 99))
def test_orders_alone_are_permutations_bit_by_bit(case, seed):
    spec, params = case
    sizes = spec.sizes(params)
    order = random_transform(spec, sizes, np.random.default_rng(seed)).permutation
    expected = rf.apply_permutation(spec, order, params)
    found = rf.apply_transform(spec, rf.Transform(order), params)
    for name, array in params.items():
        np.testing.assert_array_equal(found[name], expected[name])
        assert (found[name] is array) == (expected[name] is array)
    still = rf.apply_transform(spec, identity_transform(spec, sizes), params)
    assert all(still[name] is array for name, array in params.items())


def test_factors_of_one_and_matrices_of_identity_move_nothing():
    spec = rf.PermutationSpec(
        AXES, symmetries=[Symmetry("P", group, ROLES) for group in ("signs", "scales", "linear")]
    )
    params = {"up": np.ones((3, 2)), "down": np.ones((2, 3))}
    ones = rf.Transform({"P": range(3)}, {"P": np.ones(3)}, {"P": np.ones(3)}, {"P": np.eye(3)})
    assert all(array is params[name] for name, array in rf.apply_transform(spec, ones, params).items())


NUMPY = (np.float16, np.float32, np.float64, ml_dtypes.bfloat16, np.complex64, ">f4")
TORCH = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64)


@pytest.mark.parametrize("dtype", [*NUMPY, *TORCH], ids=str)
@pytest.mark.parametrize("group", ["signs", "scales", "linear"])
def test_dtypes_are_kept(dtype, group):
    def make(array):
        return torch.tensor(array).to(dtype) if dtype in TORCH else array.astype(dtype)

    spec = spec_with(group)
    plain = {"up": np.arange(6.0).reshape(3, 2), "down": np.arange(12.0).reshape(4, 3), "other": np.ones(2)}
    params = {name: make(array) for name, array in plain.items()}
    drawn = random_transform(spec, {"P": 3}, np.random.default_rng(0))
    expected = rf.apply_transform(spec, drawn, plain)
    found = rf.apply_transform(spec, drawn, params)
    assert found["other"] is params["other"]
    for name, array in found.items():
        assert type(array) is type(params[name])
        assert array.dtype == params[name].dtype
        assert array.shape == params[name].shape
        wide = array.to(torch.complex128).numpy() if dtype in TORCH else array.astype(complex)
        np.testing.assert_allclose(wide, expected[name], rtol=2**-7, atol=0.05)
    if group == "signs":
        again = rf.apply_transform(spec, rf.invert_transform(drawn), found)
        assert all((again[name] == params[name]).all() for name in params)


@pytest.mark.parametrize("shape", [(5, 3), (3, 4), (2, 3, 4), (3,)])
def test_results_lie_row_by_row(shape):
    """Whole axes at every place, and the reference."""
    axis = shape.index(3)
    entries = tuple("P" if number == axis else None for number in range(len(shape)))
    spec = rf.PermutationSpec({"w": entries}, symmetries=[Symmetry("P", "linear", (Role("w", axis, (-1,)),))])
    params = {"w": np.random.default_rng(0).standard_normal(shape)}
    drawn = random_transform(spec, {"P": 3}, np.random.default_rng(1))
    found = rf.apply_transform(spec, drawn, params)
    assert_close(found, transformed(spec, drawn, params))
    assert found["w"].flags.c_contiguous


def test_arrays_are_computed_on_access_and_gradients_left_behind():
    spec = spec_with("scales")
    params = {"up": torch.nn.Parameter(torch.ones(2, 1)), "down": torch.ones(1, 2)}
    lazy = transformed_params(spec, rf.Transform({"P": [1, 0]}, scales={"P": [2.0, 4.0]}), params)
    params["up"].data[1] = 3.0
    assert lazy["up"].tolist() == [[6.0], [4.0]]
    assert not lazy["up"].requires_grad


def test_exponents_number_the_copies_of_a_fused_axis():
    spec = rf.PermutationSpec(
        {"qkv": (Product(Fixed(3), "d"), None), "out": (None, "d")},
        symmetries=[Symmetry("d", "scales", (Role("qkv", 0, (1, -1, 0)), Role("out", 1, (0,))))],
    )
    found = rf.apply_transform(
        spec,
        rf.Transform({"d": [0, 1]}, scales={"d": [2.0, 4.0]}),
        {"qkv": np.ones((6, 1)), "out": np.ones((1, 2))},
    )
    assert found["qkv"].ravel().tolist() == [2.0, 4.0, 0.5, 0.25, 1.0, 1.0]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_random_matrices_are_of_their_groups(size):
    rng = np.random.default_rng(0)
    norm = Norm("layer", None, None, (Reader("down", 1),))
    layer = random_transform(spec_with("orthogonal", norms=(norm,)), {"P": size}, rng).matrices["P"]
    np.testing.assert_allclose(layer @ layer.T, np.eye(size), atol=1e-13)
    np.testing.assert_allclose(layer.sum(1), 1.0, atol=1e-13)
    linear = random_transform(spec_with("linear"), {"P": size}, rng, scale_range=(0.25, 0.5)).matrices["P"]
    values = np.linalg.svd(linear, compute_uv=False)
    assert 0.25 <= values.min() <= values.max() <= 0.5
    drawn = random_transform(spec_with("scales"), {"P": size}, rng, scale_range=(3, 3))
    np.testing.assert_allclose(drawn.scales["P"], 3.0)


LAYER = Norm("layer", None, None, (Reader("down", 1),))
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("group", "fields", "message"),
    [
        ("signs", {"signs": {"P": [1.0, 0.5]}}, r"signs\['P'\] holds 0\.5; signs are 1 or -1"),
        ("signs", {"signs": {"P": [1.0]}}, r"signs\['P'\] has shape \(1,\); expected \(2,\)"),
        ("signs", {"signs": {"Q": [1.0]}}, r"signs name 'Q', which is unknown to the spec"),
        ("scales", {"signs": {"P": [1.0, 1.0]}}, r"'P' has signs .* no symmetry of group 'signs'"),
        ("scales", {"scales": {"P": [1.0, 0.0]}}, r"scales\['P'\] holds 0\.0; scales are positive"),
        ("scales", {"scales": {"P": [1.0, np.inf]}}, r"scales\['P'\] holds NaN or infinity"),
        ("scales", {"scales": {"P": ["a", "b"]}}, r"scales\['P'\] must be an array of real numbers"),
        ("scales", {"matrices": {"P": np.eye(2)}}, r"no symmetry of group 'linear' or 'orthogonal'"),
        ("linear", {"matrices": {"P": np.ones((2, 2))}}, r"matrices\['P'\] is not invertible"),
        ("linear", {"matrices": {"P": np.eye(3)}}, r"matrices\['P'\] has shape \(3, 3\); expected \(2, 2\)"),
        ("orthogonal", {"matrices": {"P": 2 * np.eye(2)}}, r"matrices\['P'\] is not orthogonal: .* by 3"),
        ("layer", {"matrices": {"P": TURN}}, r"moves the vector of ones by 2 .* Q·1 = 1 is expected"),
    ],
)
def test_what_is_no_transform_is_refused(group, fields, message):
    norms = (LAYER,) if group == "layer" else ()
    spec = spec_with("orthogonal" if group == "layer" else group, norms=norms)
    with pytest.raises(rf.PermutationError, match=message):
        check_transform(spec, rf.Transform({"P": [0, 1]}, **fields), {"P": 2})


def test_units_within_which_others_stand_are_not_mixed():
    symmetry = Symmetry("H", "linear", (Role("w", 0, (1,)),))
    spec = rf.PermutationSpec({"w": (Product("H", "d"),)}, sizes={"H": 2}, symmetries=[symmetry])
    order = {"H": [0, 1], "d": np.tile(np.arange(3), (2, 1))}
    with pytest.raises(rf.PermutationError, match="mix units within which 'd' stands"):
        rf.apply_transform(spec, rf.Transform(order, matrices={"H": TURN}), {"w": np.ones(6)})


def test_roles_must_cover_every_axis():
    spec = rf.PermutationSpec(AXES, symmetries=[Symmetry("P", "scales", ROLES[:1])])
    with pytest.raises(rf.SpecError, match="'scales' symmetry of 'P' has no role for axis 1 of 'down'"):
        rf.apply_transform(
            spec,
            rf.Transform({"P": [0]}, scales={"P": [2.0]}),
            {"up": np.ones((1, 1)), "down": np.ones((1, 1))},
        )
    wrong = Symmetry("P", "scales", (Role("w", 0, (1, 1)),))
    spec = rf.PermutationSpec({"w": (Product(Fixed(3), "P"),)}, symmetries=[wrong])
    with pytest.raises(rf.SpecError, match="has 2 exponents; its units stand there 3 times"):
        rf.apply_transform(spec, rf.Transform({"P": [0]}, scales={"P": [2.0]}), {"w": np.ones(3)})


def test_what_is_given_in_the_place_of_a_transform_is_named():
    spec = spec_with("signs")
    with pytest.raises(TypeError, match="transform is a Transform, got dict"):
        rf.apply_transform(spec, {"P": [0]}, {})
    with pytest.raises(TypeError, match="second is a Transform, got dict"):
        rf.compose_transforms(rf.Transform({"P": [0]}), {"P": [0]})
    with pytest.raises(
        rf.ParamsError, match="'up' is of int64; signs, scales, rotations and matrices act on floating"
    ):
        rf.apply_transform(
            spec,
            rf.Transform({"P": [0]}, signs={"P": [-1.0]}),
            {"up": np.ones((1, 1), np.int64), "down": np.ones((1, 1))},
        )


def test_singular_matrices_and_other_shapes_have_no_inverse():
    with pytest.raises(rf.PermutationError, match=r"matrices\['P'\] is singular"):
        rf.invert_transform(rf.Transform({"P": [0, 1]}, matrices={"P": np.zeros((2, 2))}))
    with pytest.raises(
        rf.PermutationError, match=r"signs\['P'\] of transform has shape \(1,\); expected \(2,\)"
    ):
        rf.invert_transform(rf.Transform({"P": [0, 1]}, signs={"P": [1.0]}))
    with pytest.raises(rf.PermutationError, match="scales name 'Q', for which second has no permutation"):
        rf.compose_transforms(rf.Transform({"P": [0]}), rf.Transform({"P": [0]}, scales={"Q": [1.0]}))
