"""Against enumeration, SciPy, and the metamorphic properties of the problem."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rebasin_fast as rf
from helpers.proof import brute_force, check_assignment, exact_objective


def families(rng, n, m):
    """One matrix of each kind that is known to trouble solvers."""
    gaussian = rng.standard_normal((n, m))
    return {
        "gaussian": gaussian,
        "float32": gaussian.astype(np.float32),
        "uniform": rng.random((n, m), dtype=np.float32),
        "integers": rng.integers(0, 5, (n, m)),
        "binary": (rng.random((n, m)) < 0.3).astype(np.float32),
        "rank one": np.outer(np.arange(1, n + 1), np.arange(1, m + 1)),
        "rank two": (rng.standard_normal((n, 2)) @ rng.standard_normal((2, m))).astype(np.float32),
        "duplicates": np.repeat(rng.random((n, (m + 1) // 2)), 2, axis=1)[:, :m],
        "dead units": gaussian * (rng.random(n) < 0.6)[:, None] * (rng.random(m) < 0.6),
        "heavy tails": gaussian
        * np.exp(3 * rng.standard_normal((n, 1)))
        * np.exp(3 * rng.standard_normal(m)),
        "log-uniform": 10.0 ** rng.uniform(-20, 20, (n, m)),
        "forbidden": np.where(rng.random((n, m)) < 0.4, np.inf, gaussian),
        "rows alike": np.tile(rng.random(m), (n, 1)),
        "columns alike": np.tile(rng.random((n, 1)), (1, m)),
        "tiny": gaussian * 1e-300,
        "huge": gaussian * 1e300,
    }


FAMILIES = sorted(families(np.random.default_rng(0), 3, 3))


def agree(cost, maximize):
    try:
        rows, columns = scipy.optimize.linear_sum_assignment(cost, maximize)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)):
            rf.solve_assignment(cost, maximize=maximize)
        return
    result = rf.solve_assignment(cost, maximize=maximize)
    check_assignment(cost, result, maximize=maximize)
    expected = exact_objective(cost, dense_columns(cost.shape[0], rows, columns))
    found = exact_objective(cost, result.columns)
    magnitude = float(np.abs(cost[rows, columns].astype(np.float64)).sum())
    # SciPy rounds too; what must hold without tolerance is checked from the duals above.
    assert abs(float(found - expected)) <= 1e-12 * magnitude + result.gap


def dense_columns(n, rows, columns):
    dense = np.full(n, -1)
    dense[rows] = columns
    return dense


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (5, 5), (4, 6), (6, 4), (7, 7), (1, 7), (7, 1), (3, 8)])
def test_enumeration(family, shape):
    rng = np.random.default_rng(abs(hash(shape)) % 1000)
    repeats = 2 if shape == (7, 7) else 5
    for repeat in range(repeats):
        cost = families(rng, *shape)[family]
        maximize = repeat % 2 == 1 and family != "forbidden"
        best = brute_force(cost, maximize=maximize)
        if best is None:
            with pytest.raises(ValueError, match="infeasible"):
                rf.solve_assignment(cost, maximize=maximize)
            continue
        result = rf.solve_assignment(cost, maximize=maximize)
        check_assignment(cost, result, maximize=maximize)
        distance = abs(best - exact_objective(cost, result.columns))
        assert distance <= result.gap


# SciPy overflows on the huge family; enumeration covers it.
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "huge"])
@pytest.mark.parametrize("shape", [(20, 20), (65, 65), (30, 70), (70, 30), (128, 128), (40, 400)])
def test_against_scipy(family, shape):
    rng = np.random.default_rng(7)
    cost = np.asarray(families(rng, *shape)[family])
    agree(cost, False)
    if family != "forbidden":
        agree(cost, True)


finite = st.floats(-1e6, 1e6, width=32)
shapes = st.tuples(st.integers(1, 7), st.integers(1, 7))
matrices = hnp.arrays(np.float32, shapes, elements=finite) | hnp.arrays(
    np.float32, shapes, elements=st.sampled_from([0.0, 1.0, 2.0, 3.5])
)


@settings(max_examples=150, deadline=None)
@given(matrices, st.booleans())
def test_certificate_and_optimum(cost, maximize):
    result = rf.solve_assignment(cost, maximize=maximize)
    check_assignment(cost, result, maximize=maximize)
    assert abs(exact_objective(cost, result.columns) - brute_force(cost, maximize=maximize)) <= result.gap


@settings(max_examples=100, deadline=None)
@given(matrices, st.randoms(use_true_random=False))
def test_the_optimum_moves_with_the_problem(cost, random):
    def optimum(matrix, **options):
        return exact_objective(matrix, rf.solve_assignment(matrix, **options).columns)

    best = optimum(cost)
    assert optimum(cost.T) == best
    assert optimum(-cost, maximize=True) == -best
    assert optimum(cost.astype(np.float64)) == best
    assert optimum(np.ldexp(cost, 5)) == best * 32
    assert optimum(np.asfortranarray(cost)) == best
    rows = random.sample(range(cost.shape[0]), cost.shape[0])
    columns = random.sample(range(cost.shape[1]), cost.shape[1])
    assert optimum(cost[rows][:, columns]) == best


@given(hnp.arrays(np.int32, shapes, elements=st.integers(-1000, 1000)), st.integers(-1000, 1000))
def test_shifts_of_the_short_sides_lines(cost, shift):
    """A line of the short side is always used once, so shifting it shifts the optimum."""
    best = rf.solve_assignment(cost).objective
    shifted = cost.copy()
    if cost.shape[0] <= cost.shape[1]:
        shifted[0] += shift
    else:
        shifted[:, 0] += shift
    assert rf.solve_assignment(shifted).objective == best + shift


def leading_matrix(n, leading, rng):
    """Noise, where the rows `leading` have a column each far ahead of their others."""
    cost = rng.standard_normal((n, n)).astype(np.float32)
    cost[leading, rng.permutation(n)[: len(leading)]] -= 50
    return cost


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.95, 0.8, 0.3])
@pytest.mark.parametrize("dead", [0, 5])
def test_rows_with_columns_of_their_own(share, dead, maximize):
    """Few reads where rows stand apart, and no other answer where only some of them do."""
    n = 136
    rng = np.random.default_rng(int(100 * share) + dead)
    cost = leading_matrix(n, np.arange(int(share * n)), rng)
    cost[:dead] = 0
    cost[:, rng.permutation(n)[:dead]] = 0
    agree(-cost if maximize else cost, maximize)


def test_a_sample_of_rows_that_deceives():
    """The rows of the sample stand apart; all others are alike."""
    n = 128
    rng = np.random.default_rng(1)
    cost = leading_matrix(n, np.arange(n // 16, n, n // 8), rng)
    others = np.setdiff1d(np.arange(n), np.arange(n // 16, n, n // 8))
    cost[others] = cost[others[0]] + rng.integers(0, 3, (len(others), n))
    agree(cost, False)
