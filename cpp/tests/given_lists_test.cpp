// Solving from lists made by the device kernel's source, with rows fetched on demand.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "cuda/candidate_row.hpp"
#include "host_team.hpp"
#include "rebasin/candidate_lists.hpp"

namespace {

using namespace rebasin;

template <class T>
struct Matrix {
  std::vector<T> entries;
  std::int64_t columns = 0;
  std::int64_t fetched = 0;
  std::int64_t fails_after = -1;

  static bool fetch(void* context, std::int64_t row, void* out) {
    auto& self = *static_cast<Matrix*>(context);
    if (self.fetched++ == self.fails_after) return false;
    std::copy_n(self.entries.begin() + row * self.columns, self.columns, static_cast<T*>(out));
    return true;
  }
};

template <class T>
struct Lists {
  std::vector<T> costs;
  std::vector<std::int32_t> columns;
  std::vector<double> bounds, duals;
  CandidateLists<T> view;

  Lists(Matrix<T>& matrix, std::int64_t rows)
      : costs(static_cast<std::size_t>(rows * list_length)),
        columns(costs.size()),
        bounds(static_cast<std::size_t>(rows)),
        duals(static_cast<std::size_t>(matrix.columns), 0.0) {
    const std::int64_t m = matrix.columns;
    for (std::int64_t j = 0; rows == m && j < m; ++j) {
      double least = cuda::infinity;
      for (std::int64_t i = 0; i < rows; ++i) {
        least = std::min(least, static_cast<double>(matrix.entries[static_cast<std::size_t>(i * m + j)]));
      }
      duals[static_cast<std::size_t>(j)] = least;
    }
    const cuda::CostMatrix<T> source{matrix.entries.data(), rows, m, m, 1, false};
    cuda::ListScratch<T> scratch;
    cuda::SerialWarp warp;
    for (std::int64_t i = 0; i < rows; ++i) {
      bounds[static_cast<std::size_t>(i)] =
          cuda::list_sorted(warp, source, duals.data(), i, scratch, costs.data() + i * list_length,
                            columns.data() + i * list_length, cuda::NoVisitor());
    }
    view.rows = rows;
    view.columns = m;
    view.costs = costs.data();
    view.columns_of = columns.data();
    view.bounds = bounds.data();
    view.duals = duals.data();
    view.fetch = Matrix<T>::fetch;
    view.context = &matrix;
  }
};

template <class T>
void compare_with_whole_matrix() {
  std::mt19937 random(8);
  std::normal_distribution<double> normal;
  int solved = 0;
  std::int64_t fetched_rows = 0;
  std::int64_t all_rows = 0;
  for (int repeat = 0; repeat < 120; ++repeat) {
    const std::int64_t rows = 2 + static_cast<std::int64_t>(random() % 160);
    const std::int64_t m = repeat % 4 == 0 ? rows + static_cast<std::int64_t>(random() % 50) : rows;
    Matrix<T> matrix{std::vector<T>(static_cast<std::size_t>(rows * m)), m};
    for (T& entry : matrix.entries) {
      entry = static_cast<T>(repeat % 3 == 1 ? static_cast<double>(random() % 5) : normal(random));
    }
    const Lists<T> lists(matrix, rows);
    Interrupt never;
    AssignmentSolution found, expected;
    const ListsResult result = solve_from_lists(lists.view, found, never);
    CHECK(result.status == Status::ok);
    CHECK(result.fetched == matrix.fetched);
    CHECK(result.fetched <= rows);
    if (result.needs_matrix) continue;
    ++solved;
    fetched_rows += result.fetched;
    all_rows += rows;
    CHECK(solve_assignment(CostView<T>{matrix.entries.data(), rows, m, m, 1, false}, expected, never) ==
          Status::ok);
    const double scale = 1.0 + std::abs(expected.objective);
    CHECK(std::abs(found.objective - expected.objective) <= 1e-12 * scale);
    CHECK(found.gap <= 1e-12 * scale);
  }
  CHECK(solved > 110);
  CHECK(fetched_rows < all_rows);
}

}  // namespace

TEST_CASE("given lists agree with the whole matrix float") {
  compare_with_whole_matrix<float>();
}

TEST_CASE("given lists agree with the whole matrix double") {
  compare_with_whole_matrix<double>();
}

TEST_CASE("given lists give up when a row does not come") {
  std::mt19937 random(9);
  std::normal_distribution<double> normal;
  Matrix<float> matrix{std::vector<float>(100 * 100), 100};
  for (float& entry : matrix.entries) entry = static_cast<float>(normal(random));
  matrix.fails_after = 0;
  const Lists<float> lists(matrix, 100);
  Interrupt never;
  AssignmentSolution found;
  const ListsResult result = solve_from_lists(lists.view, found, never);
  CHECK(result.status == Status::ok);
  CHECK(result.needs_matrix);
  CHECK(found.columns.empty());
}
