"""Optimal in real arithmetic on every family where float64 arithmetic alone goes wrong."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.exact_families import FAMILIES, draw_problem
from helpers.proof import check_assignment
from reference.exact_assignment import (
    enumerate_least_total,
    least_total,
    rounded_total,
    to_integers,
    total_of,
)


def check_problem(cost, maximize):
    integers, exponent, forbidden = to_integers(cost)
    integers = -integers if maximize else integers
    best = least_total(integers, forbidden)
    if best is None:
        with pytest.raises(ValueError, match="infeasible"):
            rf.solve_assignment(cost, maximize=maximize)
        return
    result = rf.solve_assignment(cost, maximize=maximize)
    used = result.columns[result.columns >= 0]
    assert len(used) == min(cost.shape) == len(set(used.tolist()))
    distance = total_of(integers, result.columns) - best
    # In units of 2**exponent; the gap is one of rounding where it is not zero.
    assert distance == 0 or float(distance) <= np.ldexp(result.gap, -exponent)
    assert np.isfinite(result.row_duals).all()
    assert np.isfinite(result.column_duals).all()
    assert result.objective == rounded_total(cost, result.columns)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(("largest", "problems"), [(6, 800), (40, 180), (130, 20)])
def test_optimum_of_family(family, largest, problems):
    rng = np.random.default_rng(largest)
    for _ in range(problems):
        check_problem(*draw_problem(rng, family, largest))


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
