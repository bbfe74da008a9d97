#include <algorithm>
#include <cmath>
#include <random>

#include "descent/forbidden_matches.hpp"
#include "descent/host_backend.hpp"
#include "descent/policy/perturbation.hpp"
#include "descent/policy/plan.hpp"
#include "descent/policy/similarity_variance.hpp"
#include "descent/steps/standard_score.hpp"
#include "planted.hpp"
#include "rebasin/assignment.hpp"

namespace {

TEST_CASE("planned visiting recovers planted permutations of every dtype") {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    const Planted planted(dtype);
    DescentOptions options;
    options.bytes_to_keep = 1e9;
    const DescentResult result = descend<float>(planted.problem, options);
    CHECK(result.converged);
    CHECK(result.permutations[0] == inverse(planted.first));
    CHECK(result.permutations[1] == inverse(planted.second));
    CHECK(result.objective == planted.norm());
    CHECK(result.history.back() == result.objective);
  }
}

TEST_CASE("memory does not decide the order of visits") {
  const Planted one(DType::float32, 3), other(DType::float32, 4);
  const Problem unrelated = unrelated_to(one, other);
  DescentOptions options;
  const DescentResult plain = descend<float>(unrelated, options);
  options.bytes_to_keep = 1e9;
  const DescentResult kept = descend<float>(unrelated, options);
  CHECK(kept.permutations == plain.permutations);
  CHECK(kept.history == plain.history);
  CHECK(kept.stats.visits == plain.stats.visits);
  CHECK(kept.stats.product_flop < plain.stats.product_flop);
}

// A copy that is nearly aligned already must not be given up for the result of the first pass.
TEST_CASE("planned visiting never ends below its start") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const Planted one(DType::float32, seed), other(DType::float32, seed + 100);
    const Problem unrelated = unrelated_to(one, other);
    const DescentResult better = descend<float>(unrelated, sweeps(50));
    Interrupt never;
    for (const bool first_pass : {true, false}) {
      DescentResult result = identity_of(unrelated);
      result.permutations = better.permutations;
      DescentOptions options;
      options.first_pass = first_pass;
      CHECK(coordinate_descent<float>(unrelated, naive_gemm<float>, options, result, never) == Status::ok);
      CHECK(result.objective >= result.first_objective);
      if (!first_pass) CHECK(result.permutations == better.permutations);
    }
  }
}

TEST_CASE("plans begin with families that need no other") {
  const Planted planted(DType::float32);
  const Nesting nesting(planted.problem);
  std::vector<SimilarityVariance> variances;
  Interrupt never;
  HostBackend<float> backend(planted.problem, nullptr, never);
  CHECK(similarity_variances(planted.problem, nesting, backend, variances) == Status::ok);
  // Inputs and bias fix the first, outputs the second; between them stands what needs the other.
  std::size_t free = 0, bound = 0;
  for (const SimilarityVariance& each : variances) {
    CHECK(each.variance > 0.0);
    CHECK(!each.needs_itself);
    ++(each.needs.empty() ? free : bound);
  }
  CHECK(free == 3);
  CHECK(bound == 2);
  const std::vector<std::int32_t> by_gain = plan_by_gain(planted.problem, variances);
  const std::vector<std::int32_t> reversed{by_gain[1], by_gain[0]};
  CHECK(by_gain.size() == 2);
  CHECK(expected_gain(planted.problem, variances, by_gain) >=
        expected_gain(planted.problem, variances, reversed));
  CHECK(plan_by_share(planted.problem, variances).size() == 2);
}

TEST_CASE("scores are high for related models alone") {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  constexpr std::int64_t n = 100;
  std::vector<double> matrix(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    // What a row or a column has in common counts for nothing.
    for (std::size_t j = 0; j < n; ++j)
      matrix[i * n + j] = normal(random) + 30.0 * static_cast<double>(i) - 20.0 * static_cast<double>(j);
  }
  const CostView<double> view{matrix.data(), n, n, n, 1, true};
  AssignmentSolution solution;
  Interrupt never;
  CHECK(solve_assignment(view, solution, never) == Status::ok);
  const auto score = [&](const std::vector<std::int64_t>& columns) {
    std::vector<double> sample;
    for (const std::int64_t row : sampled_rows(n))
      sample.insert(sample.end(), matrix.begin() + row * n, matrix.begin() + (row + 1) * n);
    return standard_score(sample, n, columns);
  };
  CHECK(score(solution.columns) > 0.6);
  CHECK(score(solution.columns) < 1.0);
  for (std::size_t i = 0; i < n; ++i) matrix[i * n + (n - 1 - i)] += 8.0;
  CHECK(solve_assignment(view, solution, never) == Status::ok);
  CHECK(score(solution.columns) > 1.5);
  std::fill(matrix.begin(), matrix.end(), 1.0);
  CHECK(score(iota(n)) == 0.0);
}

TEST_CASE("perturbed slots are distinct and drawn anew for every perturbation") {
  for (const std::int64_t units : {2, 9, 10, 11, 500}) {
    std::vector<std::int64_t> slots = perturbed_slots(units, 3, 1, 0);
    CHECK(slots == perturbed_slots(units, 3, 1, 0));
    CHECK(static_cast<std::int64_t>(slots.size()) == (units + 9) / 10);
    std::sort(slots.begin(), slots.end());
    CHECK(std::adjacent_find(slots.begin(), slots.end()) == slots.end());
    CHECK(slots.front() >= 0);
    CHECK(slots.back() < units);
  }
  CHECK(perturbed_slots(500, 3, 1, 0) != perturbed_slots(500, 4, 1, 0));
  CHECK(perturbed_slots(500, 3, 1, 0) != perturbed_slots(500, 3, 2, 0));
  CHECK(perturbed_slots(500, 3, 1, 0) != perturbed_slots(500, 3, 1, 7));
}

TEST_CASE("forbidden matches are as before at the end of their scope") {
  std::vector<float> matrix = {1, 2, 3, 6, 5, 4, 7, 8, 9};
  const std::vector<float> before = matrix;
  {
    const ForbiddenMatches<float> forbidden(matrix.data(), 3, {{0, 2}, {2, 1}});
    CHECK((matrix == std::vector<float>{1, 2, 1, 6, 5, 4, 7, 7, 9}));
  }
  CHECK(matrix == before);
}

}  // namespace
