"""Fuzz the assignment solver against SciPy and its own certificate; run by hand or nightly, not by pytest.

    cd tests && python -m nightly.fuzz_assignment --problems 1000000 --seed 1

Draws small problems of every shape, dtype and family that has troubled some solver, solves each minimising
or maximising at random, and compares the objective with SciPy's and the duals with the definition of `gap`.
Prints one line of JSON; exits with 1 and the seeds of the failures if there are any.
"""

from __future__ import annotations

import sys
from argparse import Namespace

import numpy as np
import scipy
import scipy.optimize

import rebasin_fast as rf
from nightly.driver import fuzz

KINDS = 12


def draw(rng: np.random.Generator, smallest: int, largest: int) -> tuple[np.ndarray, bool]:
    n, m = rng.integers(smallest, largest + 1, 2)
    if rng.random() < 0.6:
        m = n
    kind = int(rng.integers(KINDS))
    gaussian = rng.standard_normal((n, m))
    cost = {
        0: lambda: gaussian,
        1: lambda: rng.integers(0, rng.integers(2, 12), (n, m)).astype(np.float64),
        2: lambda: rng.standard_normal((n, 3)) @ rng.standard_normal((3, m)),
        3: lambda: gaussian * np.exp(2 * rng.standard_normal((n, 1)) + 2 * rng.standard_normal(m)),
        4: lambda: (rng.random((n, m)) < 3 / m).astype(np.float64),
        5: lambda: np.outer(np.arange(n), np.arange(m)).astype(np.float64),
        6: lambda: gaussian * (rng.random((n, 1)) < 0.7) * (rng.random(m) < 0.7),
        7: lambda: 10.0 ** rng.uniform(-15, 15, (n, m)),
        8: lambda: np.where(rng.random((n, m)) < 0.4, np.inf, gaussian),
        9: lambda: np.tile(rng.standard_normal((1, m)), (n, 1)) + (rng.random((n, m)) < 0.1),
        10: lambda: gaussian * 10.0 ** rng.integers(-12, 20),
        11: lambda: np.sqrt(((rng.random((n, 1, 2)) - rng.random((m, 2))) ** 2).sum(-1)),
    }[kind]()
    with np.errstate(over="ignore"):
        cost = cost.astype(rng.choice([np.float32, np.float32, np.float64]))
    maximize = bool(rng.random() < 0.5)
    if maximize:
        cost = -cost
    order = rng.integers(3)
    cost = np.asfortranarray(cost) if order == 1 else cost[::-1, ::-1] if order == 2 else cost
    return cost, maximize


def spacing(wide: np.ndarray) -> float:
    """Lowest set bit of any cost: all totals are multiples of it."""
    mantissa, exponent = np.frexp(wide[np.isfinite(wide) & (wide != 0)])
    integers = np.ldexp(mantissa, 53).astype(np.int64)
    return float(np.ldexp((integers & -integers).astype(np.float64), exponent - 53).min(initial=np.inf))


def fault(cost: np.ndarray, maximize: bool) -> str | None:
    """The fault of our answer, or None."""
    wide = cost.astype(np.float64)
    try:
        rows, columns = scipy.optimize.linear_sum_assignment(wide, maximize)
    except ValueError as error:
        try:
            rf.solve_assignment(cost, maximize=maximize)
        except ValueError as ours:
            return None if str(ours).startswith(str(error)) else f"other error: {ours}"
        return "no error"
    try:
        result = rf.solve_assignment(cost, maximize=maximize)
    except ValueError as error:
        return f"error: {error}"
    used = result.columns[result.columns >= 0]
    if len(used) != min(cost.shape) or len(np.unique(used)) != len(used):
        return "no assignment"
    sign = -1.0 if maximize else 1.0
    u, v = sign * result.row_duals, sign * result.column_duals
    slack = sign * wide - u[:, None] - v
    magnitude = np.abs(wide[rows, columns]).sum()
    rounding = 1e-15 * (np.abs(u).max() + np.abs(v).max() + magnitude)
    if slack.min() < -rounding:
        return f"infeasible dual {slack.min()}"
    n, m = cost.shape
    if (n < m and v.max() > 0) or (n > m and u.max() > 0):
        return "positive dual"
    ours = float(wide[result.columns >= 0, used].sum())
    if abs(ours - result.objective) > 1e-13 * np.abs(wide[result.columns >= 0, used]).sum():
        return f"objective {result.objective} is not the sum {ours}"
    proven = abs(ours - u.sum() * sign - v.sum() * sign)
    if proven > result.gap + len(used) * rounding and not (result.gap == 0 and proven < spacing(wide)):
        return f"gap {result.gap} is not {proven}"
    sizes = np.abs(wide[np.isfinite(wide) & (wide != 0)])
    ordinary = cost.dtype == np.float32 and (sizes.size == 0 or sizes.max() < 1e9 * sizes.min())
    if result.gap > 1e-12 * magnitude and ordinary:
        return f"gap {result.gap} against {magnitude}"
    distance = sign * (ours - float(wide[rows, columns].sum()))
    if distance > result.gap + 1e-13 * magnitude:
        return f"worse than SciPy by {distance}, gap {result.gap}"
    return None


def main() -> int:
    def one(seed: int, k: int, options: Namespace) -> str | None:
        cost, maximize = draw(np.random.default_rng((seed, k)), options.smallest, options.largest)
        wrong = fault(cost, maximize)
        return None if wrong is None else f"{cost.shape} {cost.dtype} maximize={maximize}: {wrong}"

    return fuzz(__doc__, "problems", one, count=100_000, smallest=1, largest=12)


if __name__ == "__main__":
    sys.exit(main())
