// A partial matching with column duals, and what the stages share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "assignment/attempt.hpp"
#include "rebasin/sparse_assignment.hpp"
#include "sparse/graph/graph.hpp"

namespace rebasin::sparse {

constexpr std::int32_t none = -1;

// declined: a dual left the range of fixed-point numbers; infeasible: no complete assignment exists.
using assignment::Attempt;

// Only column duals v are stored: a row's dual is its least c - v. Outside of an auction every matched entry
// is tight, which is to say that it attains that least.
struct MatchingState {
  const Graph& graph;
  std::vector<Fixed> v;
  std::vector<Fixed> pair_cost;  // per row: the cost of its matched entry
  std::vector<std::int32_t> column_of;
  std::vector<std::int32_t> row_of;
  std::vector<std::int32_t> free_rows;
  SparseCounters counters;

  explicit MatchingState(const Graph& problem)
      : graph(problem),
        v(problem.columns, 0),
        pair_cost(problem.rows, 0),
        column_of(problem.rows, none),
        row_of(problem.columns, none) {}

  void assign(std::int32_t row, std::int32_t column, Fixed cost) {
    column_of[row] = column;
    row_of[column] = row;
    pair_cost[row] = cost;
  }

  // The dual of a row that is matched by a tight entry.
  Fixed matched_dual(std::int32_t row) const { return pair_cost[row] - v[column_of[row]]; }

  Fixed least_reduced(std::int32_t row) const {
    Fixed least = fixed_infinity;
    for (std::int64_t k = graph.start[row]; k < graph.start[row + 1]; ++k) {
      least = std::min(least, graph.cost[k] - v[graph.column[k]]);
    }
    return least;
  }

  Fixed dual(std::int32_t row) const {
    return column_of[row] == none ? least_reduced(row) : matched_dual(row);
  }

  std::int64_t degree(std::int32_t row) const { return graph.start[row + 1] - graph.start[row]; }

  // Frees every row, last row first in the order of a stack.
  void drop_matching() {
    std::fill(column_of.begin(), column_of.end(), none);
    std::fill(row_of.begin(), row_of.end(), none);
    free_rows.resize(graph.rows);
    for (std::int64_t i = 0; i < graph.rows; ++i) {
      free_rows[i] = static_cast<std::int32_t>(graph.rows - 1 - i);
    }
  }
};

}  // namespace rebasin::sparse
