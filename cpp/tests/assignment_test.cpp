#include "rebasin/assignment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

namespace {

using namespace rebasin;

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
struct Matrix {
  std::int64_t rows;
  std::int64_t columns;
  std::vector<T> entries;

  CostView<T> view(bool maximize = false) const {
    return {entries.data(), rows, columns, columns, 1, maximize};
  }
};

template <class T>
Matrix<T> random_matrix(std::int64_t rows, std::int64_t columns, int distinct, std::mt19937& random) {
  Matrix<T> matrix{rows, columns, std::vector<T>(rows * columns)};
  for (T& entry : matrix.entries) entry = static_cast<T>(random() % distinct) / T{8};
  return matrix;
}

template <class T>
AssignmentSolution solved(const CostView<T>& view) {
  AssignmentSolution solution;
  Interrupt never;
  CHECK(solve_assignment(view, solution, never) == Status::ok);
  return solution;
}

template <class T>
Status status_of(const CostView<T>& view) {
  AssignmentSolution solution;
  Interrupt never;
  return solve_assignment(view, solution, never);
}

template <class T>
double brute_force(const CostView<T>& view) {
  if (view.rows > view.columns) {
    return brute_force<T>(
        {view.data, view.columns, view.rows, view.column_stride, view.row_stride, view.maximize});
  }
  std::vector<std::int64_t> order(view.columns);
  std::iota(order.begin(), order.end(), 0);
  const double sign = view.maximize ? -1.0 : 1.0;
  double best = infinity;
  do {
    double total = 0.0;
    for (std::int64_t i = 0; i < view.rows; ++i) {
      total += sign * static_cast<double>(view.data[i * view.row_stride + order[i] * view.column_stride]);
    }
    best = std::min(best, total);
  } while (std::next_permutation(order.begin(), order.end()));
  return sign * best;
}

template <class T>
void check_feasible_duals(const CostView<T>& view, const AssignmentSolution& solution) {
  const double sign = view.maximize ? -1.0 : 1.0;
  for (std::int64_t i = 0; i < view.rows; ++i) {
    for (std::int64_t j = 0; j < view.columns; ++j) {
      const double cost = sign * static_cast<double>(view.data[i * view.row_stride + j * view.column_stride]);
      CHECK(sign * (solution.row_duals[i] + solution.column_duals[j]) <= cost + 1e-9);
    }
  }
}

template <class T>
void compare_with_enumeration() {
  std::mt19937 random(1);
  for (int repeat = 0; repeat < 300; ++repeat) {
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random() % 6);
    const std::int64_t columns = 1 + static_cast<std::int64_t>(random() % 6);
    const auto matrix = random_matrix<T>(rows, columns, repeat % 3 == 0 ? 4 : 1000, random);
    const auto view = matrix.view(repeat % 2 == 0);
    const AssignmentSolution solution = solved(view);
    CHECK(solution.objective == brute_force(view));
    CHECK(solution.gap == 0.0);
    check_feasible_duals(view, solution);
  }
}

TEST_CASE("assignment enumeration float32") {
  compare_with_enumeration<float>();
}
TEST_CASE("assignment enumeration float64") {
  compare_with_enumeration<double>();
}

TEST_CASE("assignment larger problems prove themselves") {
  std::mt19937 random(2);
  for (const std::int64_t n : {17, 64, 65, 130, 257}) {
    for (const std::int64_t m : {n, n + 40}) {
      for (const int distinct : {2, 10, 1 << 20}) {
        const auto matrix = random_matrix<float>(n, m, distinct, random);
        CHECK(solved(matrix.view()).gap == 0.0);
        CHECK(solved(matrix.view(true)).gap == 0.0);
      }
    }
  }
}

TEST_CASE("assignment reads any strides") {
  std::mt19937 random(3);
  const auto matrix = random_matrix<double>(9, 9, 1000, random);
  const CostView<double> reversed{matrix.entries.data() + 80, 9, 9, -9, -1, false};
  CHECK(solved(matrix.view()).objective == solved(reversed).objective);
  const CostView<double> transposed{matrix.entries.data(), 9, 9, 1, 9, false};
  CHECK(solved(matrix.view()).objective == solved(transposed).objective);
  const CostView<double> tall{matrix.entries.data(), 9, 4, 9, 1, true};
  CHECK(solved(tall).objective == brute_force(tall));
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

TEST_CASE("assignment constant matrix is the identity") {
  const Matrix<double> matrix{5, 7, std::vector<double>(35, 2.5)};
  const AssignmentSolution solution = solved(matrix.view());
  for (std::int64_t i = 0; i < 5; ++i) CHECK(solution.columns[i] == i);
}

TEST_CASE("assignment hears the interrupt") {
  std::mt19937 random(4);
  const auto matrix = random_matrix<double>(1500, 1500, 1 << 20, random);
  Interrupt at_once([](void*) { return true; }, nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
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
