"""Fuzz the assignment solver against exact integers where float64 goes wrong; run by hand or nightly.

    cd tests && python -m nightly.fuzz_exact_assignment --problems 100000 --seed 1

Draws `--problems` problems of the families of `tests/helpers/exact_families.py` in turn, solves them, and compares the
total with the optimum that the Hungarian method finds in integers, the objective with the total rounded once, and
looks for duals that are not finite. Prints one line of JSON; exits with 1 and the seeds of the failures if there
are any.
"""

from __future__ import annotations

import sys
from argparse import Namespace

import numpy as np

import rebasin_fast as rf
from helpers.exact_families import FAMILIES, draw_problem
from nightly.driver import fuzz
from reference.exact_assignment import least_total, rounded_total, to_integers, total_of


def fault(cost: np.ndarray, maximize: bool) -> str | None:
    """The fault of our answer, or None."""
    integers, exponent, forbidden = to_integers(cost)
    integers = -integers if maximize else integers
    best = least_total(integers, forbidden)
    try:
        result = rf.solve_assignment(cost, maximize=maximize)
    except rf.CostOverflowError as error:
        return fault_of_refusal(cost, maximize, total_of(integers, pairs_of(cost, maximize)) - best, error)
    except ValueError as error:
        return None if best is None and "infeasible" in str(error) else f"error: {error}"
    if best is None:
        return "no error"
    used = result.columns[result.columns >= 0]
    if len(used) != min(cost.shape) or len(np.unique(used)) != len(used):
        return "no assignment"
    distance = total_of(integers, result.columns) - best
    if distance != 0 and float(distance) > np.ldexp(result.gap, -exponent):
        return f"{distance} * 2**{exponent} from the optimum, gap {result.gap}"
    if not (np.isfinite(result.row_duals).all() and np.isfinite(result.column_duals).all()):
        return "duals are not finite"
    if result.objective != rounded_total(cost, result.columns):
        return f"objective {result.objective} is not the total {rounded_total(cost, result.columns)}"
    return None


def fault_of_refusal(cost: np.ndarray, maximize: bool, distance: int, error: Exception) -> str | None:
    """The pairs are optimal all the same; only costs near the end of float64 are refused."""
    if distance != 0:
        return f"pairs that are {distance} from the optimum"
    return None if np.abs(cost[np.isfinite(cost)]).max() > 1e305 else f"error: {error}"


def pairs_of(cost: np.ndarray, maximize: bool) -> np.ndarray:
    """The column of each row, by the function that gives pairs alone."""
    rows, columns = rf.linear_sum_assignment(cost, maximize)
    chosen = np.full(len(cost), -1)
    chosen[rows] = columns
    return chosen


def main() -> int:
    def one(seed: int, k: int, options: Namespace) -> str | None:
        number, number_in_family = k % len(FAMILIES), k // len(FAMILIES)
        family = sorted(FAMILIES)[number]
        # Many small problems, some that the other paths of the solver take.
        largest = 64 if number_in_family % 10 == 0 else 200 if number_in_family % 500 == 1 else 12
        found = fault(*draw_problem(np.random.default_rng([seed, number, number_in_family]), family, largest))
        return None if found is None else f"{family}: {found}"

    return fuzz(__doc__, "problems", one, count=900_000)


if __name__ == "__main__":
    sys.exit(main())
