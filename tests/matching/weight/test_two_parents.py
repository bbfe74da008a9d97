"""A permutation that stands within two permutations, neither of which stands within the other."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import rebasin_fast as rf
from rebasin_fast.axis import Product

GROUPS, HEADS, UNITS, WIDTH = 3, 2, 4, 5
SPEC = rf.PermutationSpec(
    {"f": (Product("G", Product("H", "k")), None), "g": ("G",), "h": ("H",)},
    sizes={"G": GROUPS, "H": HEADS, "k": UNITS},
)


def params(seed):
    rng = np.random.default_rng(seed)
    return {
        "f": rng.standard_normal((GROUPS * HEADS * UNITS, WIDTH)).astype(np.float32),
        "g": rng.standard_normal(GROUPS).astype(np.float32),
        "h": rng.standard_normal(HEADS).astype(np.float32),
    }


def best_objective(a, b, groups, heads):
    """The objective with G and H given, every copy of k at its best."""
    a_units, b_units = (p["f"].astype(np.float64).reshape(GROUPS, HEADS, UNITS, WIDTH) for p in (a, b))
    total = float(a["g"].astype(np.float64) @ b["g"][groups]) + float(
        a["h"].astype(np.float64) @ b["h"][heads]
    )
    for group, head in itertools.product(range(GROUPS), range(HEADS)):
        similarity = a_units[group, head] @ b_units[groups[group], heads[head]].T
        total += similarity[linear_sum_assignment(similarity, maximize=True)].sum()
    return total


def test_the_spec_gives_each_pair_of_parents_a_copy_of_its_own():
    assert SPEC.parents["k"] == ("G", "H")


@pytest.mark.parametrize("visiting", ["auto", "random"])
@pytest.mark.parametrize("seed", range(8))
def test_no_step_of_either_parent_does_better(visiting, seed):
    a, b = params(seed), params(seed + 100)
    found = rf.weight_matching(SPEC, a, b, visiting=visiting, rng=seed)
    aligned = rf.apply_permutation(SPEC, found.permutation, b)
    recomputed = sum(float(np.vdot(a[n].astype(np.float64), aligned[n].astype(np.float64))) for n in a)
    assert found.objective == pytest.approx(recomputed, rel=1e-12)
    groups, heads = list(found.permutation["G"]), list(found.permutation["H"])
    for other in itertools.permutations(range(GROUPS)):
        assert found.objective >= best_objective(a, b, list(other), heads) - 1e-5
    for other in itertools.permutations(range(HEADS)):
        assert found.objective >= best_objective(a, b, groups, list(other)) - 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_a_planted_permutation_is_recovered(seed):
    a = params(seed)
    rng = np.random.default_rng(seed)
    planted = {
        "G": rng.permutation(GROUPS),
        "H": rng.permutation(HEADS),
        "k": rng.permuted(np.tile(np.arange(UNITS), (GROUPS, HEADS, 1)), axis=-1),
    }
    b = rf.apply_permutation(SPEC, planted, a)
    found = rf.weight_matching(SPEC, a, b, restarts=4)
    aligned = rf.apply_permutation(SPEC, found.permutation, b)
    for name in a:
        np.testing.assert_array_equal(aligned[name], a[name])
