"""The bottleneck assignment against all assignments, and its certificate on large ones."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

import rebasin_fast as rf
import rebasin_fast._core as core
from helpers.all_assignments import FAMILIES, SHAPES, all_assignments
from helpers.interrupts import assert_interrupted


def check(cost, maximize=False):
    """Prove the result by its own certificate; return it."""
    found = rf.bottleneck_assignment(cost, maximize=maximize)
    n, m = cost.shape
    rows = np.flatnonzero(found.columns >= 0)
    columns = found.columns[rows]
    assert len(rows) == len(set(columns.tolist())) == min(n, m)
    assigned = cost[rows, columns]
    worst = assigned.min() if maximize else assigned.max()
    assert worst.item() == found.bottleneck
    assert type(worst.item()) is type(found.bottleneck)
    check_block(cost, found.certificate, found.bottleneck, maximize)
    return found


def check_block(cost, certificate, bottleneck, maximize):
    rows, columns = certificate
    n, m = cost.shape
    assert len(set(rows.tolist())) + len(set(columns.tolist())) > max(n, m)
    block = cost[np.ix_(rows, columns)]
    assert (block <= bottleneck).all() if maximize else (block >= bottleneck).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_as_all_assignments(family, shape):
    rng = np.random.default_rng(len(family))
    for maximize in (False, True):
        cost = FAMILIES[family](rng, shape)
        entries = [entries for _, _, entries in all_assignments(cost, maximize)]
        best = max(map(min, entries)) if maximize else min(map(max, entries))
        assert check(cost, maximize).bottleneck == best


@pytest.mark.parametrize("shape", SHAPES[3:], ids=str)
def test_forbidden_entries(shape):
    rng = np.random.default_rng(0)
    none = 0
    for _ in range(60):
        cost = np.where(rng.random(shape) < 0.5, np.inf, rng.integers(0, 4, shape))
        if all_assignments(cost):
            check(cost)
            check(-cost, maximize=True)
            continue
        none += 1
        with pytest.raises(ValueError, match=r"cost matrix is infeasible: rows .* and columns"):
            rf.bottleneck_assignment(cost)
        (found,) = rf.bottleneck_assignment([cost])
        assert found.status == "infeasible"
        check_block(cost, found.certificate, math.inf, maximize=False)
    assert none > 0


@settings(max_examples=200, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 5)),
        elements=st.one_of(
            st.sampled_from([0.0, -0.0, 1.0, 2.0]), st.floats(allow_nan=False, allow_infinity=False)
        ),
    ),
    st.booleans(),
)
def test_any_floats(cost, maximize):
    entries = [entries for _, _, entries in all_assignments(cost, maximize)]
    best = max(map(min, entries)) if maximize else min(map(max, entries))
    assert check(cost, maximize).bottleneck == best


def by_bisection(cost):
    """The least value whose graph SciPy matches completely."""
    values = np.unique(cost[np.isfinite(cost)])
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        matched = maximum_bipartite_matching(csr_array(cost <= values[middle]), perm_type="column")
        if (matched >= 0).sum() == min(cost.shape):
            high = middle
        else:
            low = middle + 1
    return values[low]


def plane(rng, n, m):
    a, b = rng.random((n, 2)), rng.random((m, 2))
    return np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))


LARGE = {
    "uniform": lambda rng, n, m: rng.random((n, m)),
    "plane": plane,
    "product": lambda rng, n, m: np.outer(rng.random(n), rng.random(m)),
    "line": lambda rng, n, m: np.abs(np.subtract.outer(rng.random(n), rng.random(m))),
    "gated": lambda rng, n, m: np.where(plane(rng, n, m) < 0.5, plane(rng, n, m), np.inf),
    "integers": lambda rng, n, m: rng.integers(0, 10, (n, m)).astype(float),
}


@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("shape", [(63, 63), (64, 65), (130, 130), (200, 300), (300, 130)], ids=str)
def test_large_ones_as_scipy_by_bisection(kind, shape):
    cost = LARGE[kind](np.random.default_rng(2), *shape)
    assert check(cost).bottleneck == by_bisection(cost)
    check(cost.astype(np.float32))
    if kind != "gated":
        check(cost, maximize=True)


def test_thresholds_are_few():
    # Halving begins after six; rises alone would need hundreds here.
    for kind in LARGE:
        cost = LARGE[kind](np.random.default_rng(3), 200, 200)
        found = core.bottleneck_assignments([cost], False, False, 1)[0]
        assert found.thresholds <= 6 + 2 * 16, kind


def test_values_keep_their_type():
    big = np.array([[2**63 - 1, 2**63 - 3], [2**63 - 2, 2**63 - 1]])
    assert check(big.astype(np.int64)).bottleneck == 2**63 - 2
    assert check(big.astype(np.uint64), maximize=True).bottleneck == 2**63 - 1
    assert rf.bottleneck_assignment([[True, False], [False, True]]).bottleneck == 0
    torch = pytest.importorskip("torch")
    cost = torch.tensor([[1.5, 2.0], [3.0, 1.25]], dtype=torch.bfloat16)
    assert rf.bottleneck_assignment(cost).bottleneck == 1.5


@pytest.mark.parametrize("dtype", ["<f4", ">f8", ">i8", "<u2", "<i8"])
def test_strides_and_byte_orders(dtype):
    cost = np.random.default_rng(5).integers(0, 50, (4, 10)).astype(dtype)
    for strided in (cost[:, ::-2], np.asfortranarray(cost)[:, ::-2], cost[::2].T, cost[:, 1:4]):
        check(strided)
        check(strided, maximize=True)
    unaligned = np.frombuffer(b"x" + cost.astype("<f8").tobytes(), np.uint8)[1:].view("<f8").reshape(4, 10)
    check(unaligned)


def test_batches_and_threads():
    rng = np.random.default_rng(4)
    batch = rng.random((6, 5, 7))
    alone = [rf.bottleneck_assignment(cost) for cost in batch]
    assert rf.bottleneck_assignment(batch) == alone
    assert rf.bottleneck_assignment(batch, threads=3) == alone
    assert rf.bottleneck_assignment(list(batch), threads=2) == alone
    assert alone[0] != alone[1]
    assert alone[0] != 1.0
    mixed = rf.bottleneck_assignment([np.full((2, 2), np.nan), np.eye(3)])
    assert [each.status for each in mixed] == ["invalid", "optimal"]
    assert mixed[0].columns.tolist() == [-1, -1]
    assert math.isnan(mixed[0].bottleneck)
    assert repr(mixed[0]) == "BottleneckAssignment(invalid, 2 rows)"
    assert repr(mixed[1]) == "BottleneckAssignment(3 rows, bottleneck 0.0)"


def test_empty_matrices():
    for shape in [(0, 0), (0, 3), (3, 0)]:
        found = rf.bottleneck_assignment(np.zeros(shape))
        assert found.bottleneck == -math.inf
        assert found.columns.tolist() == [-1] * shape[0]
        assert rf.bottleneck_assignment(np.zeros(shape), maximize=True).bottleneck == math.inf


@pytest.mark.parametrize(
    ("cost", "error", "message"),
    [
        (np.zeros(3), ValueError, "expected a matrix"),
        (np.full((2, 2), np.nan), ValueError, "invalid numeric entries"),
        (np.array([[0.0, -np.inf], [1.0, 2.0]]), ValueError, "invalid numeric entries"),
        (np.zeros((2, 2), complex), TypeError, "complex"),
    ],
)
def test_mistakes(cost, error, message):
    with pytest.raises(error, match=message):
        rf.bottleneck_assignment(cost)
    with pytest.raises(ValueError, match=r"threads is a .*, 1 or more"):
        rf.bottleneck_assignment(np.eye(2), threads=0)


def test_a_nan_anywhere_is_found():
    for place in (0, 1, 15, 16, 31, 32, 39):
        cost = np.ones((40, 40), np.float32)
        cost[place, place] = np.nan
        with pytest.raises(ValueError, match="invalid numeric entries"):
            rf.bottleneck_assignment(cost)


def test_ctrl_c():
    assert_interrupted(
        "cost = np.random.default_rng(0).random((400, 400))",
        "rf.bottleneck_assignment([cost] * 10**6, threads=2)",
    )
