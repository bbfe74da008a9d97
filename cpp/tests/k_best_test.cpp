// Ranked assignments: trees, threads and the general solver's root. Their order against enumeration is
// tests/assignment's.
#include "rebasin/k_best.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "matrices.hpp"

using namespace rebasin;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("k best of a batch do not depend on threads") {
  std::mt19937 random(1);
  // The first problems have fewer assignments than asked for; entries tie and are forbidden.
  std::vector<Matrix<double>> costs;
  std::vector<AnyCostView> views;
  for (std::int64_t p = 0; p < 20; ++p) {
    const std::int64_t n = 1 + 2 * p;
    costs.push_back(make_matrix<double>(n, n + p % 3, [&](std::int64_t i, std::int64_t j) {
      return i != j && random() % 5 == 0 ? infinity : static_cast<double>(random() % 5) - 2.0;
    }));
  }
  for (const auto& cost : costs) views.push_back(cost.view());
  std::vector<KBestSolution> one(views.size());
  std::vector<KBestSolution> four(views.size());
  std::vector<Status> statuses(views.size());
  Interrupt never;
  k_best_assignments(views.data(), 20, {.k = 40}, one.data(), statuses.data(), 1, never);
  k_best_assignments(views.data(), 20, {.k = 40}, four.data(), statuses.data(), 4, never);
  for (std::size_t p = 0; p < views.size(); ++p) {
    CHECK(statuses[p] == Status::ok);
    CHECK((one[p].count == 40 || p < 3));
    CHECK(one[p].gap == 0.0);
    CHECK(std::is_sorted(one[p].objectives.begin(), one[p].objectives.end()));
    CHECK(one[p].columns == four[p].columns);
  }
}

TEST_CASE("k best from the general solver") {
  // From 64 rows on, the root's duals come from solve_assignment.
  std::mt19937 random(2);
  std::uniform_real_distribution<double> uniform;
  for (const std::int64_t m : {80, 95}) {
    const auto cost = make_matrix<double>(80, m, [&](auto, auto) { return uniform(random); });
    KBestSolution solution;
    AssignmentSolution best;
    Interrupt never;
    CHECK(k_best_assignments(cost.view(), {.k = 50}, solution, never) == Status::ok);
    CHECK(solve_assignment(cost.view(), best, never) == Status::ok);
    CHECK(solution.gap == 0.0);
    CHECK(solution.count == 50);
    CHECK(std::abs(solution.objectives.front() - best.objective) < 1e-12);
    CHECK(std::is_sorted(solution.objectives.begin(), solution.objectives.end()));
  }
}

TEST_CASE("k best assignments stop at an interrupt") {
  std::mt19937 random(3);
  const auto cost = make_matrix<double>(100, 100, [&](auto, auto) { return static_cast<double>(random()); });
  KBestSolution solution;
  Interrupt at_once = stopped();
  CHECK(k_best_assignments(cost.view(), {.k = 1000000}, solution, at_once) == Status::interrupted);
}
