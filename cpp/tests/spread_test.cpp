#include <cmath>
#include <random>

#include "cost/objective.hpp"
#include "planted.hpp"

namespace {

// Sum of squares about the means of the entries that permutations exchange: by rows, columns, or all of them.
double squares_about_means(const std::vector<double>& values, const Tensor& tensor) {
  bool moves[2] = {false, false};
  for (const Move& move : tensor.moves) moves[move.axis] = true;
  const std::int64_t rows = tensor.shape[0], columns = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
  const auto class_of = [&](std::int64_t i, std::int64_t j) {
    return static_cast<std::size_t>((moves[0] ? 0 : i) * columns + (moves[1] ? 0 : j));
  };
  std::vector<double> sums(values.size()), counts(values.size());
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      sums[class_of(i, j)] += values[static_cast<std::size_t>(i * columns + j)];
      counts[class_of(i, j)] += 1.0;
    }
  }
  double total = 0.0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const double mean = sums[class_of(i, j)] / counts[class_of(i, j)];
      total += std::pow(values[static_cast<std::size_t>(i * columns + j)] - mean, 2);
    }
  }
  return total;
}

double spread_by_definition(const Planted& planted) {
  double spread = 0.0;
  for (std::size_t t = 0; t < planted.problem.tensors.size(); ++t) {
    const Tensor& tensor = planted.problem.tensors[t];
    spread += std::sqrt(squares_about_means(planted.a[t].doubles, tensor) *
                        squares_about_means(planted.b[t].doubles, tensor));
  }
  return spread;
}

double spread_of(const Planted& planted) {
  Interrupt never;
  return spread_of_objective(planted.problem, never);
}

bool near(double found, double expected) {
  return std::abs(found - expected) <= 1e-9 * (1.0 + expected);
}

TEST_CASE("spread is its definition in every dtype") {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    const Planted planted(dtype);
    CHECK(near(spread_of(planted), spread_by_definition(planted)));
  }
}

TEST_CASE("spread counts no tensor that stays") {
  Planted planted(DType::float32);
  const double before = spread_of(planted);
  const std::vector<double> large(100, 1e9);
  const Weights weights(large);
  planted.problem.tensors.push_back(
      {weights.data(DType::float32), weights.data(DType::float32), DType::float32, {100}, {1}, {1}, {}});
  CHECK(spread_of(planted) == before);
}

// An offset that all units share adds the same to every permutation's objective.
TEST_CASE("spread counts no common offset") {
  Planted planted(DType::float64);
  const double before = spread_of(planted);
  for (double& value : planted.a[1].doubles) value += 1e4;
  for (double& value : planted.b[1].doubles) value += 1e4;
  CHECK(near(spread_of(planted), before));
}

// Two families of units on one axis, in pairs of copies, and a position that stays: four classes and it.
TEST_CASE("spread keeps families and copies of an axis apart") {
  const std::vector<double> a{0, 100, 2, 104, 7, 1000, 0, 1001, 2}, b{0, 3, 2, 3, 9, 0, 0, 4, 0};
  Problem problem;
  problem.permutations = {{2, {}}, {2, {}}};
  problem.tensors.push_back({a.data(),
                             b.data(),
                             DType::float64,
                             {9},
                             {1},
                             {1},
                             {{{0}, 0, 2, {0, 1, 2, 3}}, {{1}, 0, 2, {5, 6, 7, 8}}}});
  Interrupt never;
  // Of A: {0, 2}, {100, 104}, {1000, 1001}, {0, 2}; of B: {0, 2}, {3, 3}, {0, 4}, {0, 0}.
  const double expected = std::sqrt(2.0 + 8.0 + 0.5 + 2.0) * std::sqrt(2.0 + 0.0 + 8.0 + 0.0);
  CHECK(near(spread_of_objective(problem, never), expected));
}

}  // namespace
