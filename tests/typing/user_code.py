"""Calls of the public functions as a user writes them; checked by mypy, never run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import rebasin_fast as rf
from rebasin_fast.assignment import RankedAssignment
from rebasin_fast.compat import lap

Index = NDArray[np.int64]
Batch = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
Params = Mapping[str, NDArray[np.float32]]


def assignments(matrix: NDArray[np.float64], batch: Batch, from_torch: Any, table: object) -> None:
    rows, columns = rf.linear_sum_assignment(matrix)
    assert_type(rows, Index)
    assert_type(rf.linear_sum_assignment([[4, 1], [2, 0]], maximize=True)[1], Index)
    rf.linear_sum_assignment(from_torch)[0].cpu()
    assert_type(rf.linear_sum_assignment(table)[1].shape, Any)

    one = rf.solve_assignment(matrix)
    assert_type(one, rf.Assignment)
    columns = one.columns
    assert_type(columns[rows], Any)
    assert_type(
        rf.solve_assignment([[4, 1], [2, 0]], maximize=True, warm_start=one, threads=2), rf.Assignment
    )
    assert_type(rf.solve_assignment(table, cost_limit=0.5), rf.Assignment)
    many = rf.solve_assignment(batch, partial=True)
    assert_type(many, rf.AssignmentBatch)
    assert_type(many[0], rf.Assignment)
    assert_type(many[2:], rf.AssignmentBatch)
    assert_type(rf.solve_assignment([matrix, matrix], warm_start=[one, None]), list[rf.Assignment])
    rf.solve_assignment(from_torch).columns.cpu()
    rf.solve_assignment(matrix, maximise=True)  # type: ignore[call-overload]


def ranked(matrix: NDArray[np.float64], batch: Batch, from_torch: Any) -> None:
    best = rf.k_best_assignments(matrix, 3, within=0.5)
    assert_type(best, rf.KBestAssignments)
    assert_type(best[0], RankedAssignment)
    assert_type(best[0].columns, Index)
    assert_type(rf.k_best_assignments([matrix], 3, threads=2), list[rf.KBestAssignments])
    assert_type(rf.k_best_assignments(batch, k=3), list[rf.KBestAssignments])
    worst = rf.bottleneck_assignment(matrix, maximize=True)
    assert_type(worst, rf.BottleneckAssignment)
    assert_type(worst.certificate.rows, Index)
    assert_type(rf.bottleneck_assignment([[1.0, 2.0]]), rf.BottleneckAssignment)
    assert_type(rf.bottleneck_assignment(batch)[0], rf.BottleneckAssignment)
    rf.bottleneck_assignment(from_torch).columns.sum()


def lapx(matrix: NDArray[np.float64], batch: Batch, wanted: bool) -> None:
    total, x, y = lap.lapjv(matrix, extend_cost=True, cost_limit=0.5)
    assert_type(total, float)
    assert_type(x, NDArray[np.int32])
    assert_type(lap.lapjvxa(matrix), tuple[float, NDArray[np.int32]])
    assert_type(lap.lapjvs(matrix)[1], Index)
    x, y = lap.lapjv(matrix, return_cost=False)
    y.sum()
    lap.lapjvx(matrix, return_cost=wanted)
    lap.lapjvx_batch(batch, n_threads=2)[1].sum()
    assert_type(lap.lapmod(2, [1.0], [0, 1, 1], [0])[0], float)


def matchings(spec: rf.PermutationSpec, a: Params, b: Params, path: Path) -> None:
    matching = rf.weight_matching(spec, a, b, rng=1, effort="high", checkpoint=path, progress=print)
    assert_type(matching, rf.Matching)
    assert_type(matching.permutation, dict[str, Index])
    several = rf.weight_matching(spec, a, [b, b], restarts=2, threads=2)
    assert_type(several, list[rf.Matching])
    assert_type(several[0].objective, float)
    rf.weight_matching(spec, a, b, visiting="best")  # type: ignore[call-overload]
    twin = rf.weight_matching(spec, a, b, symmetries="all", rng=1)
    assert_type(twin, rf.SymmetricMatching)
    assert_type(twin.transform, rf.Transform)
    assert_type(twin.endpoints(a, b), tuple[dict[str, Any], dict[str, Any]])
    assert_type(rf.weight_matching(spec, a, [b], symmetries="all"), list[rf.SymmetricMatching])
    rf.weight_matching(spec, a, b, symmetries="all", effort="high")  # type: ignore[call-overload]
    refined = rf.straight_through_matching(
        spec,
        object(),
        a,
        b,
        [],
        lambda outputs, targets: outputs,
        symmetries="all",
        move_both=True,
        gradient="straight-through",
        init=twin,
    )
    assert_type(refined, rf.SymmetricStraightThroughMatching)
    assert_type(refined.transform_a, rf.Transform)
    trained = rf.straight_through_matching(
        spec, object(), a, b, [], lambda outputs, targets: outputs, momentum=0.5
    )
    assert_type(trained, rf.StraightThroughMatching)
    aligned = rf.apply_permutation(spec, matching.permutation, b)
    middle = rf.interpolate(a, aligned, 0.5)
    assert_type(rf.merge_many(spec, [a, b]), rf.ManyMatching)
    assert_type(rf.frank_wolfe_matching(spec, a, b).objective, float)
    rf.save_params(path, middle)
    rf.weight_matching(spec, rf.load_params(path), rf.load_params(path, library="numpy"))


def curves(a: Params, b: Params) -> None:
    curve = rf.loss_curve(lambda params: {"loss": float(len(params)), "accuracy": 0.5}, a, b, ts=5)
    assert_type(curve, rf.LossCurve)
    assert_type(curve.barrier("midpoint", metric="accuracy"), float)
    assert_type(rf.loss_curve(lambda params: 0.5, a, b), rf.LossCurve)
