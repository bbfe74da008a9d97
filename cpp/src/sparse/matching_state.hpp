// The state of the sparse solver: a partial matching with column duals.
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

// The two entries of least reduced cost in a row.
struct TwoBest {
  Fixed best = fixed_infinity;
  Fixed second = fixed_infinity;
  std::int64_t best_at = 0;
  std::int64_t second_at = 0;
};

// Only column duals v are stored: a row's dual is its least c - v. Outside of an auction every matched entry
// is tight: it attains that least.
struct PartialMatching {
  std::vector<Fixed> v;
  std::vector<Fixed> pair_cost;  // per row: the cost of its matched entry
  std::vector<std::int32_t> column_of;
  std::vector<std::int32_t> row_of;
  std::vector<std::int32_t> free_rows;
};

struct MatchingState : PartialMatching {
  const Graph& graph;
  SparseCounters counters;

  explicit MatchingState(const Graph& problem)
      : PartialMatching{std::vector<Fixed>(problem.columns, 0),
                        std::vector<Fixed>(problem.rows, 0),
                        std::vector<std::int32_t>(problem.rows, none),
                        std::vector<std::int32_t>(problem.columns, none),
                        {}},
        graph(problem) {}

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

  TwoBest two_best(std::int32_t row) const {
    TwoBest two;
    const std::int64_t last = graph.start[row + 1];
    for (std::int64_t k = graph.start[row]; k < last; ++k) {
      const Fixed reduced = graph.cost[k] - v[graph.column[k]];
      if (reduced >= two.second) continue;
      if (reduced < two.best) {
        two.second = two.best;
        two.second_at = two.best_at;
        two.best = reduced;
        two.best_at = k;
      } else {
        two.second = reduced;
        two.second_at = k;
      }
    }
    return two;
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
