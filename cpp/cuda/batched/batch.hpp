// One problem of a batch, handed to a team.
#pragma once

#include "cuda/batched/team_solver.hpp"
#include "rebasin/cuda.hpp"

namespace rebasin::cuda {

// Rows run along the shorter side and, if the sides are equal, along the smaller stride.
REBASIN_HD inline bool is_transposed(const AssignmentBatch& batch) {
  if (batch.rows != batch.columns) return batch.rows > batch.columns;
  const std::int64_t down = batch.row_stride < 0 ? -batch.row_stride : batch.row_stride;
  const std::int64_t along = batch.column_stride < 0 ? -batch.column_stride : batch.column_stride;
  return along > down;
}

REBASIN_HD inline std::int64_t transposed_rows(const AssignmentBatch& batch) {
  return is_transposed(batch) ? batch.columns : batch.rows;
}
REBASIN_HD inline std::int64_t transposed_columns(const AssignmentBatch& batch) {
  return is_transposed(batch) ? batch.rows : batch.columns;
}

template <class Team, class T>
REBASIN_HD void solve_one(Team& team, const AssignmentBatch& batch, std::int64_t problem,
                          ProblemMemory<T>& state) {
  const bool transposed = is_transposed(batch);
  const CostMatrix<T> costs{static_cast<const T*>(batch.costs) + problem * batch.problem_stride,
                            transposed_rows(batch),
                            transposed_columns(batch),
                            transposed ? batch.column_stride : batch.row_stride,
                            transposed ? batch.row_stride : batch.column_stride,
                            batch.maximize};
  Result result;
  result.columns = batch.column_of_row + problem * batch.rows;
  result.row_duals = batch.row_duals + problem * batch.rows;
  result.column_duals = batch.column_duals + problem * batch.columns;
  result.objective = batch.objectives + problem;
  result.gap = batch.gaps + problem;
  result.status = batch.statuses + problem;
  result.transposed = transposed;
  const double* start = transposed ? batch.start_row_duals : batch.start_column_duals;
  if (start != nullptr) start += problem * costs.columns;
  TeamSolver<Team, T>(team, costs, state, result).solve(start);
}

}  // namespace rebasin::cuda
