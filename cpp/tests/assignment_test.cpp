// The dense solver as callers reach it: every size of problem, layout and status, under the sanitizers.
// Totals against other solvers are tests/assignment's.
#include "rebasin/assignment.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <thread>

#include "matrices.hpp"

namespace {

using namespace rebasin;

template <class T>
Matrix<T> random_matrix(std::int64_t rows, std::int64_t columns, unsigned distinct, std::mt19937& random) {
  return make_matrix<T>(rows, columns,
                        [&](auto, auto) { return static_cast<double>(random() % distinct) / 8; });
}

AssignmentSolution solved(const AnyCostView& view, const AssignmentOptions& options = {}) {
  AssignmentSolution solution;
  Interrupt never;
  CHECK(solve_assignment(view, solution, never, options) == Status::ok);
  return solution;
}

Status status_of(const AnyCostView& view) {
  AssignmentSolution solution;
  Interrupt never;
  return solve_assignment(view, solution, never);
}

// Cold, from its own duals, priced and partial.
template <class T>
void check_proofs() {
  std::mt19937 random(2);
  for (const std::int64_t n : {1, 2, 5, 17, 64, 65, 130, 257}) {
    for (const std::int64_t m : {n, n + 3, 2 * n + 40}) {
      for (const unsigned distinct : {2U, 10U, 1U << 20}) {
        const auto matrix = random_matrix<T>(n, m, distinct, random);
        for (const bool maximize : {false, true}) {
          const AssignmentSolution cold = solved(matrix.view(maximize));
          CHECK(cold.gap == 0.0);
          const WarmStart start{cold.row_duals.data(), cold.column_duals.data()};
          CHECK(solved(matrix.view(maximize), {.warm_start = &start}).objective == cold.objective);
        }
        CHECK(solved(matrix.view(), {.cost_limit = 0.5}).gap == 0.0);
        CHECK(solved(matrix.view(), {.partial = true}).objective == solved(matrix.view()).objective);
      }
    }
  }
}

TEST_CASE("assignments prove themselves float32") {
  check_proofs<float>();
}
TEST_CASE("assignments prove themselves float64") {
  check_proofs<double>();
}

TEST_CASE("assignment reads any strides") {
  std::mt19937 random(3);
  const auto matrix = random_matrix<double>(9, 9, 1000, random);
  const double expected = solved(matrix.view()).objective;
  CHECK(solved(CostView<double>{matrix.entries.data() + 80, 9, 9, -9, -1, false}).objective == expected);
  CHECK(solved(matrix.view().transposed()).objective == expected);
  const CostView<double> tall{matrix.entries.data(), 9, 4, 9, 1, true};
  CHECK(solved(tall).objective == solved(AnyCostView(tall).transposed()).objective);
}

TEST_CASE("assignment statuses") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(status_of(Matrix<float>{2, 2, {1, 2, nan, 3}}.view()) == Status::invalid_entry);
  CHECK(status_of(Matrix<float>{2, 2, {1, 2, -inf, 3}}.view()) == Status::invalid_entry);
  CHECK(status_of(Matrix<float>{2, 2, {1, 2, -inf, 3}}.view(true)) == Status::ok);
  CHECK(status_of(Matrix<float>{2, 2, {inf, 2, inf, 3}}.view()) == Status::infeasible);
  CHECK(status_of(Matrix<float>{3, 3, {inf, 2, inf, inf, 3, inf, 1, 1, 1}}.view()) == Status::infeasible);
  CHECK(status_of(Matrix<float>{1, 1, {inf}}.view()) == Status::infeasible);
  CHECK(status_of(Matrix<float>{0, 3, {}}.view()) == Status::ok);
  CHECK(solved(Matrix<float>{2, 2, {inf, 2, 3, inf}}.view()).objective == 5.0);
}

TEST_CASE("assignment stops at an interrupt") {
  std::mt19937 random(4);
  const auto matrix = random_matrix<double>(1500, 1500, 1 << 20, random);
  Interrupt at_once = stopped();
  AssignmentSolution solution;
  CHECK(solve_assignment(matrix.view(), solution, at_once) == Status::interrupted);
}

TEST_CASE("assignment is thread safe") {
  std::mt19937 random(5);
  const auto matrix = random_matrix<float>(120, 120, 1 << 20, random);
  const AssignmentSolution alone = solved(matrix.view());
  std::vector<AssignmentSolution> results(4);
  std::vector<std::thread> threads;
  for (AssignmentSolution& result : results) {
    threads.emplace_back([&matrix, &result] {
      Interrupt never;
      solve_assignment(matrix.view(), result, never);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const AssignmentSolution& result : results) {
    CHECK(result.columns == alone.columns);
    CHECK(result.row_duals == alone.row_duals);
  }
}

}  // namespace
