// Bottlenecks of every kind of matrix, on threads. The blocks that prove them are tests/assignment's.
#include "rebasin/bottleneck.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "matrices.hpp"

namespace {

using namespace rebasin;

constexpr double infinity = std::numeric_limits<double>::infinity();

// Uniform, of few values, smooth, or nearly all forbidden.
Matrix<double> draw(std::int64_t rows, std::int64_t columns, int kind, std::mt19937& random) {
  std::uniform_real_distribution<double> uniform;
  return make_matrix<double>(rows, columns, [&](std::int64_t i, std::int64_t j) {
    if (kind == 1) return static_cast<double>(random() % 6);
    if (kind == 2) return std::abs(std::sin(static_cast<double>(i)) - std::sin(2.0 * static_cast<double>(j)));
    return kind == 3 && uniform(random) < 0.95 ? infinity : uniform(random);
  });
}

}  // namespace

TEST_CASE("bottlenecks do not depend on threads") {
  std::mt19937 random(0);
  std::vector<Matrix<double>> costs;
  std::vector<AnyCostView> views;
  for (int round = 0; round < 60; ++round) {
    const std::int64_t rows = 1 + random() % 150;
    costs.push_back(draw(rows, round % 2 == 0 ? rows : 1 + random() % 150, round % 4, random));
  }
  for (const auto& cost : costs)
    views.push_back(cost.view(cost.entries[0] < infinity && views.size() % 4 < 3));
  std::vector<BottleneckSolution> one(views.size());
  std::vector<BottleneckSolution> four(views.size());
  std::vector<Status> statuses(views.size());
  Interrupt never;
  bottleneck_assignment(views.data(), 60, one.data(), statuses.data(), 1, never);
  bottleneck_assignment(views.data(), 60, four.data(), statuses.data(), 4, never);
  for (std::size_t p = 0; p < views.size(); ++p) {
    CHECK(one[p].columns == four[p].columns);
    if (statuses[p] == Status::ok) CHECK(one[p].columns[one[p].row] == one[p].column);
    CHECK(static_cast<std::int64_t>(one[p].block_rows.size() + one[p].block_columns.size()) >
          std::max(views[p].rows, views[p].columns));
  }
}

TEST_CASE("bottlenecks of invalid entries") {
  Interrupt never;
  for (const double wrong : {-infinity, std::nan("")}) {
    Matrix<double> matrix{20, 20, std::vector<double>(400, 1.0)};
    matrix.entries[377] = wrong;
    BottleneckSolution found;
    CHECK(bottleneck_assignment(matrix.view(), found, never) == Status::invalid_entry);
  }
}
