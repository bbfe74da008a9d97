#include "assignment/small_solver.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "assignment/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Problem {
  std::int64_t rows;
  std::int64_t columns;
  std::array<double, small_rows * small_columns> cost;

  const double* row(std::int64_t i) const { return cost.data() + i * columns; }
};

template <class T>
Status load(const CostRows<T>& costs, Problem& problem, bool& beyond) {
  constexpr double huge = 0x1p1000;
  std::array<T, small_columns> buffer;
  problem.rows = costs.rows();
  problem.columns = costs.columns();
  bool valid = true;
  for (std::int64_t i = 0; i < problem.rows; ++i) {
    const T* run = costs.row(i, buffer.data());
    double* row = problem.cost.data() + i * problem.columns;
    for (std::int64_t j = 0; j < problem.columns; ++j) {
      row[j] = costs.scale() * static_cast<double>(run[j]);
      valid &= row[j] > -infinity;
      beyond |= std::abs(row[j]) >= huge && row[j] < infinity;
    }
  }
  return valid ? Status::ok : Status::invalid_entry;
}

void lower_to_column_minima(const Problem& problem, std::vector<double>& v) {
  std::fill(v.begin(), v.end(), infinity);
  for (std::int64_t i = 0; i < problem.rows; ++i) {
    const double* row = problem.row(i);
    for (std::int64_t j = 0; j < problem.columns; ++j) v[j] = std::min(v[j], row[j]);
  }
}

// Rows take their best column while it is free.
void match_row_minima(const Problem& problem, MatchingState& state) {
  for (std::int64_t i = 0; i < problem.rows; ++i) {
    const double* row = problem.row(i);
    double least = infinity;
    std::int64_t best = unassigned;
    for (std::int64_t j = 0; j < problem.columns; ++j) {
      const double reduced = row[j] - state.v[j];
      best = reduced < least ? j : best;
      least = std::min(least, reduced);
    }
    if (best != unassigned && state.row_of[best] == unassigned) {
      state.assign(i, best);
    } else {
      state.free_rows.push_back(i);
    }
  }
}

// Dijkstra's search from one free row; false where every path is forbidden.
bool augment_from(const Problem& problem, std::int64_t free_row, MatchingState& state) {
  std::array<double, small_columns> open;
  std::array<double, small_columns> distance;
  std::array<std::int8_t, small_columns> from;
  std::array<std::int8_t, small_columns> scanned;
  int scans = 0;
  std::fill_n(open.begin(), problem.columns, infinity);
  std::fill_n(distance.begin(), problem.columns, infinity);
  std::uint64_t closed = 0;
  std::int64_t row = free_row;
  double offset = 0.0;
  double reached = -infinity;
  for (;;) {
    const double* cost = problem.row(row);
    double least = infinity;
    std::int64_t column = unassigned;
    for (std::int64_t j = 0; j < problem.columns; ++j) {
      if ((closed >> j & 1) != 0) continue;
      const double path = std::max(reached, offset + (cost[j] - state.v[j]));
      if (path < open[j]) {
        open[j] = path;
        from[j] = static_cast<std::int8_t>(row);
      }
      if (open[j] < least || (open[j] == least && column != unassigned && state.row_of[j] == unassigned)) {
        least = open[j];
        column = j;
      }
    }
    if (column == unassigned) return false;
    reached = least;
    if (state.row_of[column] == unassigned) {
      for (int k = 0; k < scans; ++k) state.v[scanned[k]] += distance[scanned[k]] - reached;
      for (;;) {
        const std::int64_t giver = from[column];
        const std::int64_t next = state.column_of[giver];
        state.assign(giver, column);
        if (giver == free_row) return true;
        column = next;
      }
    }
    closed |= std::uint64_t{1} << column;
    distance[column] = reached;
    scanned[scans++] = static_cast<std::int8_t>(column);
    row = state.row_of[column];
    offset = reached - (problem.row(row)[column] - state.v[column]);
  }
}

}  // namespace

template <class T>
Status solve_small(const CostRows<T>& costs, MatchingState& state, Certificate& proof, bool& beyond) {
  Problem problem;
  const Status status = load(costs, problem, beyond);
  if (status != Status::ok || beyond) return status;
  state.reset(problem.rows, problem.columns);
  if (problem.rows == problem.columns) {
    lower_to_column_minima(problem, state.v);
    if (std::find(state.v.begin(), state.v.end(), infinity) != state.v.end()) return Status::infeasible;
  }
  match_row_minima(problem, state);
  for (const std::int64_t row : state.free_rows) {
    if (!augment_from(problem, row, state)) return Status::infeasible;
  }
  constexpr auto size = static_cast<std::int64_t>(sizeof(double));
  const CostRows<double> local({.data = problem.cost.data(),
                                .element = Element::float64,
                                .swapped_bytes = false,
                                .rows = problem.rows,
                                .columns = problem.columns,
                                .row_stride = problem.columns * size,
                                .column_stride = size,
                                .maximize = false});
  Interrupt never;
  return certify(local, state, proof, never);
}

template Status solve_small<float>(const CostRows<float>&, MatchingState&, Certificate&, bool&);
template Status solve_small<double>(const CostRows<double>&, MatchingState&, Certificate&, bool&);

}  // namespace rebasin::assignment
