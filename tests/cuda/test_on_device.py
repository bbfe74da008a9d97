"""The kernels and everything built on them, on a GPU: equal to the CPU's results over shapes, streams and devices."""

import gc

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast._arrays.cupy import CupyArrays
from rebasin_fast._arrays.torch import TorchArrays
from rebasin_fast.assignment.device import batched, kernels
from reference import device_kernels

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not rf.cuda.is_available(), reason="no CUDA device, or rebasin_fast was built without its CUDA module"
    ),
]


def _torch():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return torch


def _to_torch(array, device="cuda:0"):
    return _torch().from_numpy(np.ascontiguousarray(array)).to(device)


def _to_cupy(array):
    return pytest.importorskip("cupy").asarray(array)


LIBRARIES = {"torch": (TorchArrays(), _to_torch), "cupy": (CupyArrays(), _to_cupy)}


@pytest.fixture(params=sorted(LIBRARIES))
def library(request):
    return LIBRARIES[request.param]


def draw(shape, kind, seed, dtype):
    rng = np.random.default_rng(seed)
    k, n, m = shape
    costs = rng.standard_normal(shape)
    if kind == "integers":
        costs = rng.integers(0, 10, shape).astype(float)
    if kind == "gram":
        costs = rng.standard_normal((k, n, 64)) @ rng.standard_normal((k, 64, m))
    if kind == "heavy":
        costs *= np.exp(rng.standard_normal((k, n, 1)) + rng.standard_normal((k, 1, m)))
    if kind == "rank one":
        costs = rng.standard_normal((k, n, 1)) * rng.standard_normal((k, 1, m))
    if kind == "aligned":
        costs = 0.1 * costs - 4 * np.eye(n, m)
    if kind == "forbidden":
        costs[rng.random(shape) < 0.2] = np.inf
    return costs.astype(dtype)


KINDS = ["gaussian", "integers", "gram", "heavy", "rank one", "aligned", "forbidden"]
SHAPES = [
    (1, 1, 1), (5, 2, 2), (9, 7, 7), (33, 24, 24), (7, 25, 25), (6, 33, 47), (6, 47, 33), (5, 64, 64), (4, 65, 65),
    (3, 100, 300), (3, 300, 100), (4, 300, 300), (2, 513, 513), (2, 1024, 1024),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batches_equal_the_cpu(library, shape, kind, dtype):
    device, put = library
    maximize = kind == "gram"
    costs = draw(shape, kind, sum(shape), dtype)
    found = batched.solve_batch(put(costs), device, maximize=maximize)
    expected = rf.solve_assignment(costs, maximize=maximize)
    statuses = [kernels.STATUSES[int(status)] for status in device.to_host(found.statuses)]
    assert statuses == expected.status.tolist()
    solved = np.array([status == "optimal" for status in statuses])
    magnitude = np.abs(np.where(np.isfinite(costs), costs, 0.0)).sum(axis=(1, 2))
    np.testing.assert_allclose(
        device.to_host(found.objectives)[solved],
        expected.objective[solved],
        rtol=1e-11,
        atol=1e-12 * magnitude.max(),
    )
    assert (device.to_host(found.gaps)[solved] <= 1e-12 * magnitude[solved]).all()
    for p in np.flatnonzero(solved):
        u, v = device.to_host(found.row_duals)[p], device.to_host(found.column_duals)[p]
        reduced = costs[p].astype(np.float64) - u[:, None] - v
        assert ((-reduced if maximize else reduced) >= -1e-12 * (1 + magnitude[p])).all()
        columns = device.to_host(found.columns)[p]
        used = columns[columns >= 0]
        assert len(set(used.tolist())) == len(used) == min(shape[1:])


def test_strided_views_and_warm_starts(library):
    device, put = library
    base = draw((6, 80, 100), "gram", 1, np.float32)
    costs = put(base)[::2].swapaxes(1, 2)
    found = batched.solve_batch(costs, device, maximize=True)
    expected = rf.solve_assignment(base[::2].swapaxes(1, 2), maximize=True)
    np.testing.assert_allclose(device.to_host(found.objectives), expected.objective, rtol=1e-11)
    square = put(base[:, :80, :80].copy())
    cold = batched.solve_batch(square, device, maximize=True)
    moved = square + put(1e-3 * draw((6, 80, 80), "gaussian", 2, np.float32))
    warm = batched.solve_batch(moved, device, maximize=True, start=(cold.row_duals, cold.column_duals))
    again = batched.solve_batch(moved, device, maximize=True)
    np.testing.assert_allclose(device.to_host(warm.objectives), device.to_host(again.objectives), rtol=1e-12)


def test_results_do_not_depend_on_the_run(library):
    device, put = library
    costs = put(draw((20, 120, 120), "integers", 3, np.float32))
    first = batched.solve_batch(costs, device, maximize=False)
    for _ in range(5):
        again = batched.solve_batch(costs, device, maximize=False)
        for name in ("columns", "row_duals", "column_duals", "objectives", "gaps"):
            np.testing.assert_array_equal(
                device.to_host(getattr(first, name)), device.to_host(getattr(again, name))
            )


@pytest.mark.parametrize("columns", [5, 24, 25, 700, 9000, 40000])
def test_lists_equal_the_reference(library, columns):
    device, put = library
    costs = draw((1, 70, columns), "gaussian", columns, np.float32)[0]
    duals = np.random.default_rng(0).standard_normal(columns)
    found = kernels.list_candidates(put(costs), put(duals), device, maximize=True, with_minima=True)
    listed, indices, bounds = device_kernels.list_candidates(costs, duals, maximize=True)
    np.testing.assert_array_equal(device.to_host(found.costs), listed)
    np.testing.assert_array_equal(device.to_host(found.columns), indices)
    np.testing.assert_array_equal(device.to_host(found.bounds), bounds)
    np.testing.assert_array_equal(device.to_host(found.column_minima), -costs.max(axis=0).astype(np.float64))
    minima = device.to_host(kernels.column_minima(put(costs), 4, device, maximize=True))
    np.testing.assert_array_equal(minima, device_kernels.column_minima(costs, 4, maximize=True))


def test_certificates_equal_the_reference(library):
    device, put = library
    costs = draw((1, 200, 200), "gaussian", 1, np.float32)[0]
    best = rf.solve_assignment(costs)
    found = kernels.certify(put(costs), put(best.column_duals), put(best.columns), device, maximize=False)
    for array, expected in zip(
        found, device_kernels.certify(costs, best.column_duals, best.columns), strict=True
    ):
        np.testing.assert_array_equal(device.to_host(array), expected)


@pytest.mark.parametrize("n", [700, 2048])
@pytest.mark.parametrize("kind", ["gram", "gaussian", "integers"])
def test_single_matrices_equal_the_cpu(library, kind, n):
    device, put = library
    costs = draw((1, n, n), kind, n, np.float32)[0]
    expected = rf.solve_assignment(costs, maximize=True)
    on_device = put(costs)
    rows, columns = rf.linear_sum_assignment(on_device, maximize=True)
    assert type(rows) is type(on_device)
    found = costs[device.to_host(rows), device.to_host(columns)].astype(np.float64).sum()
    assert found == pytest.approx(expected.objective, rel=1e-12)
    best = rf.solve_assignment(on_device, maximize=True)
    assert best.objective == pytest.approx(expected.objective, rel=1e-12)
    assert best.gap <= 1e-12 * np.abs(costs).sum()


def test_other_streams_are_waited_for():
    torch = _torch()
    stream = torch.cuda.Stream()
    base = draw((30, 200, 200), "gram", 5, np.float32)
    expected = rf.solve_assignment(base + 1, maximize=True).objective
    with torch.cuda.stream(stream):
        costs = _to_torch(base)
        for _ in range(100):
            costs = costs + 0.01
        best = rf.solve_assignment(costs, maximize=True)
    np.testing.assert_allclose(best.objective.cpu().numpy(), expected, rtol=1e-4)


def test_other_devices_are_used_and_left():
    torch = _torch()
    if torch.cuda.device_count() < 2:
        pytest.skip("one device only")
    costs = _to_torch(draw((4, 50, 50), "gram", 6, np.float32), "cuda:1")
    best = rf.solve_assignment(costs, maximize=True)
    assert best.columns.device == costs.device
    assert torch.cuda.current_device() == 0


def test_a_pointer_to_the_host_is_refused():
    torch = _torch()

    class Lying(TorchArrays):
        def device(self, array):
            return 0

    with pytest.raises(rf.DeviceError, match="host memory"):
        kernels.column_minima(torch.zeros(3, 3), 1, Lying(), maximize=False)


def test_out_of_memory_says_what_helps():
    torch = _torch()
    fraction = 0.05
    torch.cuda.set_per_process_memory_fraction(fraction)
    try:
        a = {"0.weight": np.zeros((8, 4), np.float32), "0.bias": np.zeros(8, np.float32)}
        limit = int(torch.cuda.get_device_properties(0).total_memory * fraction)
        a["2.weight"], a["2.bias"] = np.zeros((limit // 16, 8), np.float32), np.zeros(limit // 16, np.float32)
        with pytest.raises(MemoryError, match="device='cpu'"):
            rf.weight_matching(rf.specs.mlp(["0", "2"]), a, a, device="cuda", max_iter=1)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def test_a_thousand_calls_leave_no_memory_behind():
    torch = _torch()
    costs = _to_torch(draw((8, 70, 70), "gram", 7, np.float32))
    large = _to_torch(draw((1, 600, 600), "gram", 7, np.float32)[0])

    def call():
        rf.solve_assignment(costs, maximize=True)
        rf.linear_sum_assignment(large, maximize=True)

    call()
    gc.collect()
    torch.cuda.synchronize()
    allocated, (free, _) = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()
    for _ in range(1000):
        call()
    gc.collect()
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() == allocated
    assert free - torch.cuda.mem_get_info()[0] < 64 << 20


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_matchings_equal_the_cpu(name):
    _torch()
    known = KNOWN[name]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(spec.permutations).tolist() for _ in range(8)]
    expected = rf.weight_matching(spec, a, b, order=orders, strict=False)
    found = rf.weight_matching(spec, a, b, order=orders, strict=False, device="cuda")
    assert found.history == pytest.approx(expected.history, rel=1e-5)
    planned = rf.weight_matching(spec, a, b, strict=False, device="cuda")
    assert planned.visiting == "auto"
    assert planned.objective == pytest.approx(
        rf.weight_matching(spec, a, b, strict=False).objective, rel=1e-3
    )
    resident = {key: _to_torch(value) for key, value in a.items()}
    again = rf.weight_matching(spec, resident, b, order=orders, strict=False)
    assert again.history == pytest.approx(found.history, rel=1e-9)


@pytest.mark.parametrize("products", ["tf32", "bfloat16"])
def test_narrow_products_cost_little(products):
    _torch()
    known = KNOWN["resnet20-projected"]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    orders = [list(spec.permutations)] * 10
    found = rf.weight_matching(spec, a, b, order=orders, device="cuda", products=products)
    expected = rf.weight_matching(spec, a, b, order=orders)
    assert found.objective == pytest.approx(expected.objective, rel=0.05)
