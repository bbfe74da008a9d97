// The list solver on sizes below those that the entry point gives it, against the dense solver.
#include "assignment/lists/list_solver.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "assignment/dense/dense_solver.hpp"
#include "assignment/dense/stages.hpp"
#include "assignment/proof/certificate.hpp"
#include "assignment/proof/list_certificate.hpp"
#include "matrices.hpp"

namespace {

using namespace rebasin;
using namespace rebasin::assignment;

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
double total(const CostRows<T>& costs, const std::vector<std::int32_t>& column_of) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < costs.rows(); ++i) sum += costs.at(i, column_of[i]);
  return sum;
}

template <class T>
std::vector<std::int32_t> solved_densely(const CostRows<T>& costs) {
  Interrupt never;
  MatchingState dense;
  AssignmentCounters counters;
  CHECK(start_from_column_minima(costs, costs.rows(), dense, never) == Attempt::solved);
  CHECK(solve_densely(costs, dense, {}, counters, never) == Attempt::solved);
  return {dense.column_of.begin(), dense.column_of.end()};
}

template <class T>
void compare_with_dense_solver() {
  std::mt19937 random(11);
  int solved = 0;
  for (int repeat = 0; repeat < 420; ++repeat) {
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random() % (repeat % 10 == 0 ? 200 : 40));
    const std::int64_t columns = repeat % 3 == 0 ? rows + static_cast<std::int64_t>(random() % 60) : rows;
    Matrix<T> matrix = draw_matrix<T>(rows, columns, repeat % 7, random);
    const bool maximize = repeat % 2 == 1;
    if (maximize) {
      for (T& entry : matrix.entries) entry = -entry;
    }
    const CostRows<T> costs(matrix.view(maximize));
    Interrupt never;
    ListState<T> state(costs);
    if (solve_by_lists(state, never) != Attempt::solved) continue;
    ++solved;
    Certificate proof;
    std::vector<double> pair_cost;
    const auto certify_rows = [&](RowDuals row_duals, Certificate& found) {
      MatchingState matching;
      matching.take(state.matching.column_of, state.matching.row_of, state.duals.v, columns);
      CHECK(certify(costs, matching, infinity, row_duals, found, never) == Status::ok);
    };
    if (state.evidence == Evidence::lists) {
      CHECK(certify_lists(state, proof, pair_cost, never) == Attempt::solved);
    } else {
      proof.u = state.row_duals;
      certify_rows(state.evidence == Evidence::row_duals ? RowDuals::given : RowDuals::computed, proof);
    }
    const std::vector<std::int32_t> expected = solved_densely(costs);
    CHECK(total(costs, state.matching.column_of) - total(costs, expected) <= proof.gap + 1e-9);
    Certificate dense_proof;
    certify_rows(RowDuals::computed, dense_proof);
    // The cheap proof claims no more than the full one.
    CHECK((proof.gap >= dense_proof.gap || proof.gap == 0.0));
    for (std::int64_t i = 0; i < rows; ++i) CHECK(proof.u[i] <= dense_proof.u[i]);
  }
  CHECK(solved > 280);
}

TEST_CASE("lists agree with the dense solver float32") {
  compare_with_dense_solver<float>();
}
TEST_CASE("lists agree with the dense solver float64") {
  compare_with_dense_solver<double>();
}

}  // namespace
