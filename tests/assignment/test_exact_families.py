"""Optimal in real arithmetic on every family where float64 arithmetic alone goes wrong."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.exact_families import FAMILIES, draw_problem
from helpers.proof import check_assignment
from nightly.fuzz_exact_assignment import fault
from reference.exact_assignment import enumerate_least_total, least_total, to_integers


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(
    ("largest", "problems"), [(6, 800), (40, 180), pytest.param(130, 20, marks=pytest.mark.slow)]
)
def test_optimum_of_family(family, largest, problems):
    rng = np.random.default_rng(largest)
    for _ in range(problems):
        assert fault(*draw_problem(rng, family, largest)) is None


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"mixed magnitudes", "forbidden and marked"}))
def test_duals_prove_the_gap(family):
    rng = np.random.default_rng(3)
    for _ in range(30):
        cost, maximize = draw_problem(rng, family, 12)
        result = rf.solve_assignment(cost, maximize=maximize)
        duals = np.concatenate([result.row_duals, result.column_duals])
        if np.abs(duals).max() < np.finfo(np.float64).max:
            check_assignment(cost, result, maximize=maximize)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_reference_against_enumeration(family):
    rng = np.random.default_rng(5)
    for _ in range(20):
        cost, _ = draw_problem(rng, family, 5)
        if max(cost.shape) <= 6:
            integers, _, forbidden = to_integers(cost)
            assert least_total(integers, forbidden) == enumerate_least_total(integers, forbidden)
