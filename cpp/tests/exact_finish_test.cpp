#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "assignment/exact/exact_costs.hpp"
#include "assignment/exact/finish.hpp"
#include "assignment/exact/real_sum.hpp"
#include "assignment/exact/totals.hpp"
#include "matrices.hpp"

namespace {

using namespace rebasin;
using namespace rebasin::assignment;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double largest = std::numeric_limits<double>::max();

using Total = WideInteger<36>;

// The least total of the rows from `i` on over the columns not used; entries in units of 2^-1074.
struct Enumeration {
  const ExactCosts& costs;
  std::vector<char> used;
  bool any = false;
  Total best{};

  void visit(std::int64_t i, const Total& sum) {
    if (i == costs.rows()) {
      if (!any || sum < best) best = sum;
      any = true;
      return;
    }
    for (std::int64_t j = 0; j < costs.columns(); ++j) {
      if (used[static_cast<std::size_t>(j)] != 0 || std::isinf(costs.nearest(i, j))) continue;
      Total next = sum;
      add_dyadic(next, costs.entry(i, j), -1074);
      used[static_cast<std::size_t>(j)] = 1;
      visit(i + 1, next);
      used[static_cast<std::size_t>(j)] = 0;
    }
  }
};

// Any assignment that avoids forbidden entries, found by trying permutations.
template <class Random>
bool any_assignment(const ExactCosts& costs, Random& random, std::vector<std::int64_t>& column_of) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(costs.columns()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (int tries = 0; tries < 500; ++tries) {
    std::shuffle(order.begin(), order.end(), random);
    bool allowed = true;
    for (std::int64_t i = 0; i < costs.rows(); ++i) {
      allowed = allowed && !std::isinf(costs.nearest(i, order[static_cast<std::size_t>(i)]));
    }
    if (!allowed) continue;
    column_of.assign(order.begin(), order.begin() + costs.rows());
    return true;
  }
  return false;
}

void check_optimum(const AnyCostView& view, const AssignmentSolution& solution) {
  const ExactCosts costs(view);
  Enumeration all{costs, std::vector<char>(static_cast<std::size_t>(costs.columns()), 0), false, {}};
  all.visit(0, Total{});
  Total found{};
  std::int64_t pairs = 0;
  for (std::int64_t i = 0; i < view.rows; ++i) {
    const std::int64_t j = solution.columns[static_cast<std::size_t>(i)];
    if (j < 0) continue;
    ++pairs;
    add_dyadic(found, costs.transposed() ? costs.entry(j, i) : costs.entry(i, j), -1074);
  }
  CHECK(pairs == costs.rows());
  CHECK(all.any);
  CHECK(all.best == found);
  CHECK(solution.gap == 0.0);
}

// Feasible in real arithmetic, unless a dual is beyond float64.
void check_duals(const AnyCostView& view, const AssignmentSolution& solution) {
  const ExactCosts costs(view);
  const double sign = view.maximize ? -1.0 : 1.0;
  const auto& u = costs.transposed() ? solution.column_duals : solution.row_duals;
  const auto& v = costs.transposed() ? solution.row_duals : solution.column_duals;
  bool beyond = false;
  for (const double dual : u) beyond = beyond || std::isinf(dual);
  for (const double dual : v) beyond = beyond || std::isinf(dual);
  for (std::int64_t i = 0; i < costs.rows(); ++i) CHECK(!std::isnan(u[static_cast<std::size_t>(i)]));
  for (std::int64_t j = 0; j < costs.columns(); ++j) {
    CHECK(!std::isnan(v[static_cast<std::size_t>(j)]));
    if (costs.rows() < costs.columns()) CHECK(sign * v[static_cast<std::size_t>(j)] <= 0.0);
    for (std::int64_t i = 0; i < costs.rows() && !beyond; ++i) {
      if (std::isinf(costs.nearest(i, j))) continue;
      RealSum slack;
      slack.add(costs.entry(i, j));
      slack.add(-sign * u[static_cast<std::size_t>(i)]).add(-sign * v[static_cast<std::size_t>(j)]);
      CHECK(slack.down() >= 0.0);
    }
  }
}

enum class Duals { none, zero, random, huge, broken };

template <class T, class Random, class Draw>
void try_matrices(int count, Random& random, const Draw& draw) {
  for (int k = 0; k < count; ++k) {
    const auto rows = static_cast<std::int64_t>(1 + random() % 6);
    const auto columns = static_cast<std::int64_t>(1 + random() % 6);
    const auto matrix = make_matrix<T>(rows, columns, [&](auto, auto) { return draw(); });
    bool forbids = false;
    for (const T entry : matrix.entries) forbids = forbids || std::isinf(static_cast<double>(entry));
    const AnyCostView view = matrix.view(!forbids && random() % 2 == 0);
    const ExactCosts costs(view);
    std::vector<std::int64_t> column_of;
    if (!any_assignment(costs, random, column_of)) continue;
    AssignmentSolution solution;
    solution.columns.assign(static_cast<std::size_t>(matrix.rows), -1);
    for (std::size_t i = 0; i < column_of.size(); ++i) {
      if (costs.transposed()) {
        solution.columns[static_cast<std::size_t>(column_of[i])] = static_cast<std::int64_t>(i);
      } else {
        solution.columns[i] = column_of[i];
      }
    }
    const auto kind = static_cast<Duals>(random() % 5);
    const auto fill = [&](std::vector<double>& duals, std::int64_t size) {
      for (std::int64_t j = 0; kind != Duals::none && j < size; ++j) {
        const double x = static_cast<double>(random() % 1000) / 64 - 8;
        duals.push_back(kind == Duals::zero     ? 0.0
                        : kind == Duals::random ? x
                        : kind == Duals::huge   ? x * 0x1p1018
                                                : (random() % 2 == 0 ? infinity : x));
      }
    };
    fill(solution.row_duals, matrix.rows);
    fill(solution.column_duals, matrix.columns);
    solution.gap = random() % 2 == 0 ? infinity : 1.0;
    Interrupt never;
    CHECK(finish_exactly(view, solution, never) == Status::ok);
    check_optimum(view, solution);
    check_duals(view, solution);
  }
}

TEST_CASE("exact finish of floats") {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  try_matrices<double>(400, random, [&] { return uniform(random); });
  try_matrices<double>(400, random,
                       [&] { return std::ldexp(uniform(random), static_cast<int>(random() % 2000) - 1000); });
  try_matrices<double>(400, random, [&] { return std::ldexp(uniform(random), -1040); });
  try_matrices<double>(400, random, [&] { return random() % 2 == 0 ? largest : uniform(random); });
  try_matrices<double>(400, random, [&] { return random() % 3 == 0 ? infinity : 1e12 + uniform(random); });
  try_matrices<double>(400, random, [&] { return random() % 2 == 0 ? 0x1p63 : uniform(random); });
  try_matrices<double>(400, random, [&] {
    return random() % 3 == 0 ? largest : random() % 2 == 0 ? -largest : std::ldexp(uniform(random), -1060);
  });
  try_matrices<float>(400, random,
                      [&] { return random() % 2 == 0 ? 1e20F : static_cast<float>(uniform(random)); });
}

TEST_CASE("exact finish of integers") {
  std::mt19937_64 random(2);
  try_matrices<std::int64_t>(400, random, [&] { return static_cast<std::int64_t>(random()); });
  try_matrices<std::int64_t>(
      400, random, [&] { return (std::int64_t{1} << 62) + static_cast<std::int64_t>(random() % 16); });
  try_matrices<std::int64_t>(400, random, [&] { return static_cast<std::int64_t>(random() % 4); });
  try_matrices<std::int64_t>(400, random, [&] {
    return random() % 2 == 0 ? std::numeric_limits<std::int64_t>::max()
                             : static_cast<std::int64_t>(random() % 100);
  });
  try_matrices<std::uint64_t>(400, random, [&] { return random(); });
  try_matrices<std::uint64_t>(400, random, [&] { return ~std::uint64_t{0} - random() % 16; });
}

TEST_CASE("exact finish keeps an optimum") {
  const Matrix<double> matrix{3, 3, {1, 1, 1, 1, 1, 1, 1, 1, 1}};
  AssignmentSolution solution;
  solution.columns = {2, 0, 1};
  Interrupt never;
  CHECK(finish_exactly(matrix.view(false), solution, never) == Status::ok);
  CHECK((solution.columns == std::vector<std::int64_t>{2, 0, 1}));
  CHECK(solution.objective == 3.0);
}

TEST_CASE("exact finish of nothing") {
  AssignmentSolution solution;
  Interrupt never;
  CHECK(finish_exactly(Matrix<double>{0, 3, {}}.view(false), solution, never) == Status::ok);
  CHECK(solution.column_duals.size() == 3);
  solution.columns.assign(2, -1);
  CHECK(finish_exactly(Matrix<double>{2, 0, {}}.view(true), solution, never) == Status::ok);
  CHECK(solution.columns == std::vector<std::int64_t>(2, -1));
}

TEST_CASE("exact finish stops at an interrupt") {
  std::mt19937_64 random(4);
  const auto matrix =
      make_matrix<double>(400, 400, [&](auto, auto) { return static_cast<double>(random() % 100000); });
  AssignmentSolution solution;
  solution.columns.resize(400);
  std::iota(solution.columns.begin(), solution.columns.end(), std::int64_t{0});
  Interrupt at_once = stopped();
  CHECK(finish_exactly(matrix.view(false), solution, at_once) == Status::interrupted);
}

}  // namespace
