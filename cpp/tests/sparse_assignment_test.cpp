// The sparse solver: paths alone and auctions alone on small graphs, and the whole. Totals against the dense
// solver are tests/assignment's.
#include "rebasin/sparse_assignment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "matrices.hpp"
#include "sparse/strategy.hpp"

namespace {

using namespace rebasin;

struct Rows {
  std::vector<double> values;
  std::vector<std::int32_t> columns_of;
  std::vector<std::int32_t> starts{0};
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  SparseCostView view() const {
    return {.values = values.data(),
            .row_starts = starts.data(),
            .columns_of = columns_of.data(),
            .dtype = DType::float64,
            .wide_indices = false,
            .rows = rows,
            .columns = columns,
            .maximize = false};
  }
};

Rows draw(std::int64_t rows, std::int64_t columns, double density, int kind, std::mt19937& random) {
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  Rows drawn;
  drawn.rows = rows;
  drawn.columns = columns;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      if (uniform(random) >= density && j != i) continue;
      double cost = uniform(random);
      if (kind == 1) cost = static_cast<double>(random() % 3);
      if (kind == 2) cost = std::exp(6.0 * normal(random));
      if (kind == 3) cost = static_cast<double>((i + 1) * (j + 1));
      if (kind == 4) cost = -1.0;
      drawn.values.push_back(cost);
      drawn.columns_of.push_back(static_cast<std::int32_t>(j));
    }
    drawn.starts.push_back(static_cast<std::int32_t>(drawn.values.size()));
  }
  return drawn;
}

sparse::Graph to_integer_graph(const Rows& drawn) {
  sparse::Graph graph;
  graph.rows = drawn.rows;
  graph.columns = drawn.columns;
  graph.start.assign(drawn.starts.begin(), drawn.starts.end());
  graph.column = std::make_unique<std::int32_t[]>(drawn.values.size());
  graph.cost = std::make_unique<sparse::Fixed[]>(drawn.values.size());
  for (std::size_t k = 0; k < drawn.values.size(); ++k) {
    graph.column[k] = drawn.columns_of[k];
    graph.cost[k] = static_cast<sparse::Fixed>(drawn.values[k] * 65536.0);
  }
  graph.unit = 1;
  return graph;
}

// Feasible duals that the matching attains, in integers.
bool is_optimal(const sparse::MatchingState& state) {
  const sparse::Graph& graph = state.graph;
  for (std::int32_t i = 0; i < graph.rows; ++i) {
    const std::int32_t j = state.column_of[i];
    if (j == sparse::none || state.row_of[j] != i) return false;
    if (state.least_reduced(i) != state.matched_dual(i)) return false;
  }
  for (std::int64_t j = 0; j < graph.columns && !graph.square(); ++j) {
    if (state.v[j] > 0 || (state.row_of[j] == sparse::none && state.v[j] != 0)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("every sparse strategy proves its matching") {
  std::mt19937 random(3);
  std::int64_t levels = 0;
  for (int repeat = 0; repeat < 400; ++repeat) {
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random() % 80);
    const std::int64_t columns = repeat % 2 == 0 ? rows : rows + static_cast<std::int64_t>(random() % 20);
    const Rows drawn = draw(rows, columns, 0.15, repeat % 5, random);
    const sparse::Graph graph = to_integer_graph(drawn);
    for (const double direct_reads : {0.0, 1e9}) {
      sparse::MatchingState state(graph);
      Interrupt never;
      CHECK(sparse::solve(state, never, direct_reads).attempt == sparse::Attempt::solved);
      CHECK(is_optimal(state));
      levels += state.counters.levels;
    }
  }
  CHECK(levels > 400);
}

TEST_CASE("sparse assignments prove themselves") {
  std::mt19937 random(4);
  for (int repeat = 0; repeat < 100; ++repeat) {
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random() % 50);
    const Rows drawn = draw(rows, rows + static_cast<std::int64_t>(random() % 10), 0.2, repeat % 5, random);
    SparseSolution complete;
    SparseSolution greatest;
    Interrupt never;
    CHECK(solve_sparse_assignment(drawn.view(), Matching::complete, complete, never) == Status::ok);
    CHECK(solve_sparse_assignment(drawn.view(), Matching::greatest, greatest, never) == Status::ok);
    CHECK(complete.gap <= 1e-6 * (1.0 + std::abs(complete.objective)));
    CHECK(std::abs(complete.objective - greatest.objective) <= complete.gap + greatest.gap);
  }
}

TEST_CASE("infeasible sparse costs name a hall violator") {
  // Rows 0, 2 and 3 may take columns 1 and 4 only.
  const std::vector<std::vector<std::int32_t>> lists{{1, 4}, {0, 2, 3}, {1}, {1, 4}, {0, 1, 2, 3, 4}};
  Rows drawn;
  drawn.rows = 5;
  drawn.columns = 5;
  for (const auto& list : lists) {
    for (const std::int32_t j : list) {
      drawn.columns_of.push_back(j);
      drawn.values.push_back(1.0 + j);
    }
    drawn.starts.push_back(static_cast<std::int32_t>(drawn.columns_of.size()));
  }
  SparseSolution solution;
  Interrupt never;
  CHECK(solve_sparse_assignment(drawn.view(), Matching::complete, solution, never) == Status::infeasible);
  CHECK((solution.violating_rows == std::vector<std::int64_t>{0, 2, 3}));
  CHECK((solution.violating_columns == std::vector<std::int64_t>{1, 4}));
  CHECK(solve_sparse_assignment(drawn.view(), Matching::greatest, solution, never) == Status::ok);
  CHECK(std::count(solution.columns.begin(), solution.columns.end(), -1) == 1);
}

TEST_CASE("sparse solver stops at an interrupt") {
  std::mt19937 random(5);
  const Rows drawn = draw(400, 400, 0.2, 3, random);
  const sparse::Graph graph = to_integer_graph(drawn);
  sparse::MatchingState state(graph);
  Interrupt at_once = stopped();
  CHECK(sparse::solve(state, at_once, 0.0).attempt == sparse::Attempt::interrupted);
}
