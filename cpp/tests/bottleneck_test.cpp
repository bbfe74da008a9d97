// Bottlenecks and the blocks that prove them.
#include "rebasin/bottleneck.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace {

using namespace rebasin;

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Matrix {
  std::int64_t rows;
  std::int64_t columns;
  std::vector<double> entries;

  double at(std::int64_t i, std::int64_t j) const { return entries[i * columns + j]; }
  AnyCostView view(bool maximize) const {
    return {.data = entries.data(),
            .rows = rows,
            .columns = columns,
            .row_stride = 8 * columns,
            .column_stride = 8,
            .maximize = maximize};
  }
};

Matrix draw(std::int64_t rows, std::int64_t columns, int kind, std::mt19937& random) {
  Matrix matrix{rows, columns, std::vector<double>(static_cast<std::size_t>(rows * columns))};
  std::uniform_real_distribution<double> uniform;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      double& entry = matrix.entries[i * columns + j];
      entry = kind == 0   ? uniform(random)
              : kind == 1 ? static_cast<double>(random() % 6)
              : kind == 2
                  ? std::abs(std::sin(static_cast<double>(i)) - std::sin(2.0 * static_cast<double>(j)))
                  : (uniform(random) < 0.95 ? infinity : uniform(random));
    }
  }
  return matrix;
}

void check_block(const Matrix& matrix, const BottleneckSolution& found, double bottleneck, bool maximize) {
  CHECK(static_cast<std::int64_t>(found.block_rows.size() + found.block_columns.size()) >
        std::max(matrix.rows, matrix.columns));
  bool held = true;
  for (const std::int64_t i : found.block_rows) {
    for (const std::int64_t j : found.block_columns) {
      held = held && (maximize ? matrix.at(i, j) <= bottleneck : matrix.at(i, j) >= bottleneck);
    }
  }
  CHECK(held);
}

}  // namespace

TEST_CASE("bottlenecks are proven by their blocks") {
  std::mt19937 random(0);
  Interrupt never;
  int infeasible = 0;
  for (int round = 0; round < 120; ++round) {
    const std::int64_t rows = 1 + random() % 150;
    const std::int64_t columns = round % 2 == 0 ? rows : 1 + random() % 150;
    const int kind = round % 4;
    const bool maximize = kind != 3 && random() % 2 == 0;
    const Matrix matrix = draw(rows, columns, kind, random);
    BottleneckSolution found;
    const Status status = bottleneck_assignment(matrix.view(maximize), found, never);
    CHECK((status == Status::ok || (kind == 3 && status == Status::infeasible)));
    if (status == Status::infeasible) {
      ++infeasible;
      check_block(matrix, found, infinity, false);
      continue;
    }
    const double bottleneck = matrix.at(found.row, found.column);
    check_block(matrix, found, bottleneck, maximize);
    std::vector<char> taken(columns, 0);
    std::int64_t pairs = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t j = found.columns[i];
      if (j < 0) continue;
      ++pairs;
      CHECK(!taken[j]);
      taken[j] = 1;
      CHECK(maximize ? matrix.at(i, j) >= bottleneck : matrix.at(i, j) <= bottleneck);
    }
    CHECK(pairs == std::min(rows, columns));
  }
  CHECK(infeasible > 0);
}

TEST_CASE("bottlenecks of a batch on threads") {
  std::mt19937 random(1);
  Interrupt never;
  const Matrix matrix = draw(60, 70, 0, random);
  const std::vector<AnyCostView> views(12, matrix.view(false));
  std::vector<BottleneckSolution> found(views.size());
  std::vector<Status> statuses(views.size());
  bottleneck_assignment(views.data(), 12, found.data(), statuses.data(), 4, never);
  for (std::size_t p = 0; p < views.size(); ++p) {
    CHECK(statuses[p] == Status::ok);
    CHECK(found[p].columns == found[0].columns);
  }
}

TEST_CASE("bottlenecks of invalid entries") {
  Interrupt never;
  for (const double wrong : {-infinity, std::nan("")}) {
    Matrix matrix{20, 20, std::vector<double>(400, 1.0)};
    matrix.entries[377] = wrong;
    BottleneckSolution found;
    CHECK(bottleneck_assignment(matrix.view(false), found, never) == Status::invalid_entry);
  }
}
