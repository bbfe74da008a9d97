"""The Python side of the device entries, with the NumPy references in the place of the compiled module."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.host_library import HostLibrary
from rebasin_fast._arrays.buffers import check_same_device
from rebasin_fast._arrays.operations import NumpyOperations
from rebasin_fast.assignment.device import batched, kernels
from rebasin_fast.matching.device.assigners import DeviceAssigner, HostAssigner
from reference import device_kernels

LIBRARY = HostLibrary()


def draw(shape, seed=0, dtype=np.float32, ties=False):
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 4, shape) if ties else rng.standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize("shape", [(3, 7, 7), (2, 4, 9), (2, 9, 4), (1, 40, 40), (2, 1, 1)])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_batches_agree_with_the_core(module, shape, maximize, ties):
    costs = draw(shape, ties=ties)
    found = batched.solve_batch(costs, LIBRARY, maximize=maximize)
    expected = rf.solve_assignment(costs, maximize=maximize)
    np.testing.assert_allclose(found.objectives, expected.objective, rtol=1e-12)
    assert (found.statuses == 0).all()
    reduced = costs - found.row_duals[:, :, None] - found.column_duals[:, None, :]
    assert ((reduced if not maximize else -reduced) >= -1e-12).all()
    assert (found.gaps <= 1e-12 * np.abs(costs).sum()).all()
    if not ties:
        np.testing.assert_array_equal(found.columns, expected.columns)


def test_strides_reach_the_entry(module):
    costs = draw((4, 12, 10))[::-2, ::2].transpose(0, 2, 1)
    found = batched.solve_batch(costs, LIBRARY, maximize=True)
    np.testing.assert_array_equal(found.columns, rf.solve_assignment(costs, maximize=True).columns)


def test_statuses_are_each_problems_own(module):
    costs = draw((4, 3, 3))
    costs[1, 0, 0] = np.nan
    costs[2, 1] = np.inf
    costs[3] = 5.0
    found = batched.solve_batch(costs, LIBRARY, maximize=False)
    assert found.statuses.tolist() == [0, 1, 2, 0]
    assert found.columns[1:3].tolist() == [[-1] * 3] * 2
    assert found.columns[3].tolist() == [0, 1, 2]
    assert np.isnan(found.objectives[1:3]).all()


def test_problems_left_by_the_kernel_are_solved_on_the_host(module, monkeypatch):
    def leave_the_second(costs, *, maximize=False, start=None):
        results = solve(costs, maximize=maximize)
        results[0][1], results[5][1] = -1, 3
        return results

    solve = device_kernels.solve_batch
    monkeypatch.setattr(device_kernels, "solve_batch", leave_the_second)
    costs = draw((3, 6, 6))
    found = batched.solve_batch(costs, LIBRARY, maximize=False)
    assert found.statuses.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(found.columns, rf.solve_assignment(costs).columns)


def test_narrow_dtypes_are_widened(module):
    costs = np.arange(9, dtype=np.int32).reshape(1, 3, 3)[:, ::-1]
    found = batched.solve_batch(costs, LIBRARY, maximize=False)
    assert found.objectives[0] == rf.solve_assignment(costs).objective[0]
    with pytest.raises(TypeError, match="complex64"):
        batched.solve_batch(costs.astype(np.complex64), LIBRARY, maximize=False)


@pytest.mark.parametrize("columns", [5, 24, 25, 90])
def test_lists_hold_the_smallest_and_bound_the_rest(module, columns):
    costs, duals = draw((7, columns)), draw((columns,), 1, np.float64)
    found = kernels.list_candidates(costs, duals, LIBRARY, maximize=True, with_minima=True)
    signed = -costs.astype(np.float64)
    np.testing.assert_array_equal(found.column_minima, signed.min(axis=0))
    for i in range(len(costs)):
        count = int(np.isfinite(found.costs[i]).sum())
        listed = found.columns[i, :count]
        reduced = signed[i] - duals
        assert count >= min(columns, 13)
        np.testing.assert_array_equal(np.sort(reduced)[:count], reduced[listed])
        rest = np.delete(reduced, listed)
        assert found.bounds[i] == (rest.min() if rest.size else np.inf)
    assert found.invalid[0] == 0


def test_invalid_entries_are_seen_by_the_lists(module):
    costs = draw((4, 6))
    costs[2, 3] = -np.inf
    duals = np.zeros(6)
    assert kernels.list_candidates(costs, duals, LIBRARY, maximize=False).invalid[0] == 1
    assert kernels.list_candidates(costs, duals, LIBRARY, maximize=True).invalid[0] == 0


def test_minima_of_blocks(module):
    costs = draw((10, 6))
    minima = kernels.column_minima(costs, 2, LIBRARY, maximize=False)
    np.testing.assert_array_equal(minima, np.stack([costs[:5].min(axis=0), costs[5:].min(axis=0)]))


def test_certificates_prove_the_core_right(module):
    costs = draw((30, 30))
    best = rf.solve_assignment(costs)
    duals, slacks, matched = kernels.certify(costs, best.column_duals, best.columns, LIBRARY, maximize=False)
    assert slacks.max() <= 1e-12
    assert matched.sum() == pytest.approx(best.objective)
    assert (costs - best.column_duals >= duals[:, None] - 1e-15).all()


def test_a_pointer_elsewhere_is_named(module):
    module.device = None
    with pytest.raises(rf.DeviceError, match="CUDA device 0, and its memory is on host memory"):
        kernels.column_minima(draw((3, 3)), 1, LIBRARY, maximize=False)


def test_arrays_on_two_devices_are_named():
    class Numbered(HostLibrary):
        def device(self, array):
            return array

    with pytest.raises(rf.DeviceError, match=r"device 0, the costs on device 1.*x.to\('cuda:1'\)"):
        check_same_device(1, 0, Numbered(), "the warm start")


def test_out_of_memory_says_what_helps(module, monkeypatch):
    def fail(*_):
        raise MemoryError("cudaErrorMemoryAllocation: out of memory")

    monkeypatch.setattr(module, "column_minima", fail, raising=False)
    with pytest.raises(MemoryError, match=r"fewer problems at once.*empty_cache"):
        kernels.column_minima(draw((3, 3)), 1, LIBRARY, maximize=False)


def test_matchings_take_either_assigner(module):
    ops = NumpyOperations()
    matrices = [draw((n, n), n, np.float64) for n in (5, 8, 8, 8, 8)]
    device, host = DeviceAssigner(ops, 1, LIBRARY), HostAssigner(ops, 2)
    first = device.assign(matrices, [None] * 5)
    assert module.calls == [("solve_assignments", (4, 8, 8), False)]
    expected = host.assign(matrices, [None] * 5)
    for one, other in zip(first, expected, strict=True):
        np.testing.assert_array_equal(one.columns, other.columns)
        assert one.objective == pytest.approx(other.objective)
    device.assign(matrices, first)
    assert module.calls[-1] == ("solve_assignments", (4, 8, 8), True)
    for assigner in (device, host):
        columns, objectives = assigner.assign_batch(np.stack(matrices[1:]))
        np.testing.assert_array_equal(columns, [one.columns for one in expected[1:]])
        np.testing.assert_allclose(objectives, [one.objective for one in expected[1:]])
        with pytest.raises(rf.ParamsError, match="overflow"):
            assigner.assign([np.full((3, 3), np.nan)], [None])
