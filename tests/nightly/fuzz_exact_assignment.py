"""Fuzz the assignment solver against exact integers where float64 goes wrong; run by hand or nightly.

    cd tests && python -m nightly.fuzz_exact_assignment --problems 100000 --seed 1
    cd tests && python -m nightly.fuzz_exact_assignment --problems 100000 --seed 1 --family "line offsets"

Draws `--problems` problems of each family of `tests/helpers/exact_families.py`, solves them, and compares the
total with the optimum that the Hungarian method finds in integers, the objective with the total rounded once, and
looks for duals that are not finite. Prints one line of JSON; exits with 1 and the seeds of the failures if there
are any.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time

import numpy as np

import rebasin_fast as rf
from helpers.exact_families import FAMILIES, draw_problem
from reference.exact_assignment import least_total, rounded_total, to_integers, total_of


def fault(cost: np.ndarray, maximize: bool) -> str | None:
    """What is wrong with our answer, or None."""
    integers, exponent, forbidden = to_integers(cost)
    integers = -integers if maximize else integers
    best = least_total(integers, forbidden)
    try:
        result = rf.solve_assignment(cost, maximize=maximize)
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100_000, help="of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", choices=sorted(FAMILIES), help="one family only")
    parser.add_argument("--most-failures", type=int, default=20)
    arguments = parser.parse_args()
    families = [arguments.family] if arguments.family else sorted(FAMILIES)
    started = time.perf_counter()
    failures: list[dict[str, object]] = []
    for family in families:
        number = sorted(FAMILIES).index(family)
        for k in range(arguments.problems):
            rng = np.random.default_rng([arguments.seed, number, k])
            # Many small problems, some that the other paths of the solver take.
            largest = 64 if k % 10 == 0 else 200 if k % 500 == 1 else 12
            found = fault(*draw_problem(rng, family, largest))
            if found is not None:
                failures.append({"family": family, "seed": [arguments.seed, number, k], "fault": found})
            if len(failures) >= arguments.most_failures:
                break
    report = {
        "families": families,
        "problems": arguments.problems,
        "seed": arguments.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "failures": failures,
        "rebasin_fast": rf.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
    print(json.dumps(report))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
