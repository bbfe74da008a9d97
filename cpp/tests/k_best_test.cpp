// Ranked assignments against all of them on integers, where totals are exact.
#include "rebasin/k_best.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "k_best/exact_sum.hpp"

namespace {

using namespace rebasin;

constexpr double infinity = std::numeric_limits<double>::infinity();

AnyCostView view_of(const std::vector<double>& cost, std::int64_t rows, std::int64_t columns) {
  return {
      .data = cost.data(), .rows = rows, .columns = columns, .row_stride = 8 * columns, .column_stride = 8};
}

// Totals of all assignments of a matrix that is not taller than wide, sorted.
std::vector<double> all_totals(const std::vector<double>& cost, std::int64_t n, std::int64_t m) {
  std::vector<std::int64_t> order(m);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::set<std::vector<std::int64_t>> seen;
  std::vector<double> totals;
  do {
    if (!seen.emplace(order.begin(), order.begin() + n).second) continue;
    double total = 0.0;
    for (std::int64_t i = 0; i < n; ++i) total += cost[i * m + order[i]];
    if (total < infinity) totals.push_back(total);
  } while (std::next_permutation(order.begin(), order.end()));
  std::sort(totals.begin(), totals.end());
  return totals;
}

std::vector<double> draw(std::int64_t count, int forbidden_in_ten, std::mt19937& random) {
  std::vector<double> cost(count);
  for (double& entry : cost) {
    entry = static_cast<double>(random() % 5) - 2.0;
    if (static_cast<int>(random() % 10) < forbidden_in_ten) entry = infinity;
  }
  return cost;
}

}  // namespace

TEST_CASE("k best are the first of all") {
  std::mt19937 random(0);
  for (int round = 0; round < 300; ++round) {
    const std::int64_t n = 1 + random() % 4;
    const std::int64_t m = n + random() % 3;
    const std::vector<double> cost = draw(n * m, round % 3, random);
    std::vector<double> expected = all_totals(cost, n, m);
    const std::int64_t k = 1 + random() % 30;
    KBestSolution solution;
    Interrupt never;
    const Status status = k_best_assignments(view_of(cost, n, m), {.k = k}, solution, never);
    CHECK(status == (expected.empty() ? Status::infeasible : Status::ok));
    if (status != Status::ok) continue;
    if (static_cast<std::int64_t>(expected.size()) > k) expected.resize(k);
    CHECK(solution.objectives == expected);
    CHECK(solution.gap == 0.0);
    CHECK(solution.count == static_cast<std::int64_t>(expected.size()));
  }
}

TEST_CASE("k best of a batch do not depend on threads") {
  std::mt19937 random(1);
  const std::vector<double> cost = draw(20 * 30 * 30, 2, random);
  std::vector<AnyCostView> views;
  for (std::int64_t p = 0; p < 20; ++p) {
    AnyCostView view = view_of(cost, 30, 30);
    view.data = cost.data() + p * 900;
    views.push_back(view);
  }
  std::vector<KBestSolution> one(views.size());
  std::vector<KBestSolution> four(views.size());
  std::vector<Status> statuses(views.size());
  Interrupt never;
  k_best_assignments(views.data(), 20, {.k = 40}, one.data(), statuses.data(), 1, never);
  k_best_assignments(views.data(), 20, {.k = 40}, four.data(), statuses.data(), 4, never);
  for (std::size_t p = 0; p < views.size(); ++p) {
    CHECK(statuses[p] == Status::ok);
    CHECK(one[p].count == 40);
    CHECK(one[p].columns == four[p].columns);
  }
}

TEST_CASE("k best from the general solver") {
  // From 64 rows on, the root's duals come from solve_assignment.
  std::mt19937 random(2);
  std::uniform_real_distribution<double> uniform;
  for (const std::int64_t m : {80, 95}) {
    std::vector<double> cost(80 * m);
    for (double& entry : cost) entry = uniform(random);
    KBestSolution solution;
    AssignmentSolution best;
    Interrupt never;
    CHECK(k_best_assignments(view_of(cost, 80, m), {.k = 50}, solution, never) == Status::ok);
    CHECK(solve_assignment(view_of(cost, 80, m), best, never) == Status::ok);
    CHECK(solution.gap == 0.0);
    CHECK(solution.count == 50);
    CHECK(std::abs(solution.objectives.front() - best.objective) < 1e-12);
    CHECK(std::is_sorted(solution.objectives.begin(), solution.objectives.end()));
  }
}

TEST_CASE("k best hears an interrupt") {
  std::mt19937 random(3);
  std::vector<double> cost(100 * 100);
  for (double& entry : cost) entry = static_cast<double>(random());
  KBestSolution solution;
  Interrupt at_once([](void*) { return true; }, nullptr);
  CHECK(k_best_assignments(view_of(cost, 100, 100), {.k = 1000000}, solution, at_once) ==
        Status::interrupted);
}

TEST_CASE("exact sums round once") {
  k_best::ExactSum sum;
  for (const double value : {1e100, 1.0, -1e100, 0x1p-60}) sum.add(value);
  CHECK(sum.rounded() == 1.0);
  sum.add(-1.0);
  CHECK(sum.rounded() == 0x1p-60);
  sum.clear();
  // Half-way between two doubles; the last part decides.
  for (const double value : {1.0, 0x1p-53, 0x1p-110}) sum.add(value);
  CHECK(sum.rounded() == 1.0 + 0x1p-52);
  sum.clear();
  CHECK(sum.rounded() == 0.0);
}
