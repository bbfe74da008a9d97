"""rf.linear_sum_assignment and rf.solve_assignment on device arrays, the references in the kernels' place."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.host_library import HostLibrary
from rebasin_fast.assignment.device import batched, entry, large

LIBRARY = HostLibrary()


def draw(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
@pytest.mark.parametrize("maximize", [False, True])
def test_small_matrices_are_a_batch_of_one(module, shape, maximize):
    costs = draw(shape)
    rows, columns = entry.indices(costs, maximize, LIBRARY)
    expected = rf.linear_sum_assignment(costs, maximize)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(columns, expected[1])
    best = entry.solve(costs, maximize, None, LIBRARY)
    assert best.objective == pytest.approx(rf.solve_assignment(costs, maximize=maximize).objective)
    again = entry.solve(costs, maximize, best, LIBRARY)
    assert again.objective == best.objective
    assert module.calls[-1] == ("solve_assignments", (1, *shape), True)


def test_batches_name_their_statuses(module):
    costs = draw((3, 5, 5))
    costs[1, 2] = np.nan
    best = entry.solve(costs, False, None, LIBRARY)
    assert best.status.tolist() == ["optimal", "invalid", "optimal"]
    with pytest.raises(ValueError, match="invalid numeric entries"):
        entry.solve(costs[1], False, None, LIBRARY)
    with pytest.raises(ValueError, match=r"a problem of shape \(3, 5, 3, 5\), the cost has shape \(5, 5\)"):
        entry.solve(costs[0], False, best, LIBRARY)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(180, 180), (120, 150)])
def test_large_matrices_go_to_the_host_as_lists(module, monkeypatch, maximize, dtype, shape):
    monkeypatch.setattr(batched, "LARGEST_FOR_ONE_BLOCK", 64)
    costs = draw(shape, dtype=dtype)
    found, fetched = large.solve_large(costs, LIBRARY, maximize=maximize)
    expected = rf.solve_assignment(costs, maximize=maximize)
    np.testing.assert_array_equal(found.columns, expected.columns)
    assert found.objective == pytest.approx(expected.objective, rel=1e-12)
    assert found.gap <= 1e-12 * np.abs(costs).sum()
    assert fetched < shape[0]
    reduced = costs - found.row_duals[:, None] - found.column_duals
    assert ((-reduced if maximize else reduced) >= -1e-12).all()
    columns = entry.indices(costs, maximize, LIBRARY)[1]
    np.testing.assert_array_equal(columns, expected.columns)
    assert [call[0] for call in module.calls[-2:]] == ["list_candidates", "certify"]


def test_matrices_that_lists_do_not_suit_are_left_to_the_host(module):
    assert large.solve_large(np.full((70, 70), 2.0), LIBRARY, maximize=False) is None
    forbidden = draw((70, 70))
    forbidden[:, 3] = np.inf
    assert large.solve_large(forbidden, LIBRARY, maximize=False) is None
    invalid = draw((70, 70))
    invalid[4, 5] = np.nan
    assert large.solve_large(invalid, LIBRARY, maximize=False) is None


def test_a_matrix_that_changes_meanwhile_is_noticed(module):
    costs = draw((80, 80))
    certify = module.certify

    def change_first(pointer, *arguments):
        costs[np.arange(80), np.random.default_rng(0).permutation(80)] -= 50.0
        certify(pointer, *arguments)

    module.certify = change_first
    with pytest.raises(rf.DeviceError, match="changed while it was solved"):
        large.solve_large(costs, LIBRARY, maximize=False)


def test_host_arrays_never_come_here():
    import torch

    assert entry.library_for(np.zeros((3, 3))) is None
    assert entry.library_for(torch.zeros(3, 3)) is None
    assert entry.library_for([[1.0]]) is None
