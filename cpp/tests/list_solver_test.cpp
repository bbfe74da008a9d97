// The list solver on sizes below those that the entry point gives it, against the dense solver; and every
// SIMD level.
#include "assignment/lists/list_solver.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "assignment/dense/dense_solver.hpp"
#include "assignment/dense/stages.hpp"
#include "assignment/proof/certificate.hpp"
#include "assignment/proof/list_certificate.hpp"
#include "matrices.hpp"
#include "simd/kernels.hpp"

namespace {

using namespace rebasin;
using namespace rebasin::assignment;

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
Matrix<T> draw(std::int64_t rows, std::int64_t columns, int kind, std::mt19937& random) {
  std::normal_distribution<double> normal;
  const auto factors = [&](std::int64_t count) {
    std::vector<double> drawn(count);
    for (double& factor : drawn) factor = kind == 3 ? std::exp(normal(random)) : normal(random);
    return drawn;
  };
  const std::vector<double> row = factors(rows);
  const std::vector<double> column = factors(columns);
  return make_matrix<T>(rows, columns, [&](std::int64_t i, std::int64_t j) {
    if (kind == 1) return static_cast<double>(random() % 4);
    if (kind == 2) return row[i] * column[j];
    if (kind == 3) return normal(random) * row[i] * column[j];
    if (kind == 4) return static_cast<double>(i * j);
    if (kind == 5 && random() % 4 == 0) return infinity;
    return kind == 6 ? column[j] : normal(random);
  });
}

template <class T>
double total(const CostRows<T>& costs, const std::vector<std::int32_t>& column_of) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < costs.rows(); ++i) sum += costs.at(i, column_of[i]);
  return sum;
}

template <class T>
std::vector<std::int32_t> solved_densely(const CostRows<T>& costs) {
  Interrupt never;
  MatchingState dense;
  AssignmentCounters counters;
  CHECK(start_from_column_minima(costs, costs.rows(), dense, never) == Attempt::solved);
  CHECK(solve_densely(costs, dense, {}, counters, never) == Attempt::solved);
  return {dense.column_of.begin(), dense.column_of.end()};
}

template <class T>
void compare_with_dense_solver() {
  std::mt19937 random(11);
  int solved = 0;
  for (int repeat = 0; repeat < 420; ++repeat) {
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random() % (repeat % 10 == 0 ? 200 : 40));
    const std::int64_t columns = repeat % 3 == 0 ? rows + static_cast<std::int64_t>(random() % 60) : rows;
    Matrix<T> matrix = draw<T>(rows, columns, repeat % 7, random);
    const bool maximize = repeat % 2 == 1;
    if (maximize) {
      for (T& entry : matrix.entries) entry = -entry;
    }
    const CostRows<T> costs(matrix.view(maximize));
    Interrupt never;
    ListState<T> state(costs);
    if (solve_by_lists(state, never) != Attempt::solved) continue;
    ++solved;
    Certificate proof;
    std::vector<double> pair_cost;
    const auto certify_rows = [&](RowDuals row_duals, Certificate& found) {
      MatchingState matching;
      matching.take(state.matching.column_of, state.matching.row_of, state.duals.v, columns);
      CHECK(certify(costs, matching, infinity, row_duals, found, never) == Status::ok);
    };
    if (state.evidence == Evidence::lists) {
      CHECK(certify_lists(state, proof, pair_cost, never) == Attempt::solved);
    } else {
      proof.u = state.row_duals;
      certify_rows(state.evidence == Evidence::row_duals ? RowDuals::given : RowDuals::computed, proof);
    }
    const std::vector<std::int32_t> expected = solved_densely(costs);
    CHECK(total(costs, state.matching.column_of) - total(costs, expected) <= proof.gap + 1e-9);
    Certificate dense_proof;
    certify_rows(RowDuals::computed, dense_proof);
    // The cheap proof claims no more than the full one.
    CHECK((proof.gap >= dense_proof.gap || proof.gap == 0.0));
    for (std::int64_t i = 0; i < rows; ++i) CHECK(proof.u[i] <= dense_proof.u[i]);
  }
  CHECK(solved > 280);
}

TEST_CASE("lists agree with the dense solver float32") {
  compare_with_dense_solver<float>();
}
TEST_CASE("lists agree with the dense solver float64") {
  compare_with_dense_solver<double>();
}

template <class T>
bool same_scan(const simd::Scan<T>& a, const simd::Scan<T>& b) {
  const auto count = static_cast<std::size_t>(a.count);
  return a.count == b.count && a.invalid == b.invalid && a.threshold == b.threshold &&
         std::memcmp(a.column, b.column, count * sizeof *a.column) == 0 &&
         std::memcmp(a.cost, b.cost, count * sizeof *a.cost) == 0;
}

// A scan must miss nothing at or below its threshold, and list only entries of the row.
template <class T>
void check_scan(const simd::Scan<T>& found, const std::vector<T>& run, const std::vector<T>& v) {
  std::vector<bool> listed(run.size(), false);
  for (int k = 0; k < found.count; ++k) {
    CHECK(found.cost[k] == run[found.column[k]]);
    CHECK(!listed[found.column[k]]);
    CHECK((k == 0 || found.reduced[k - 1] <= found.reduced[k]));
    listed[found.column[k]] = true;
  }
  for (std::size_t j = 0; j < run.size(); ++j) CHECK((listed[j] || run[j] - v[j] >= found.threshold));
}

template <class T>
void compare_levels() {
  std::mt19937 random(12);
  const auto levels = simd::available();
  simd::Scan<T> reference;
  simd::Scan<T> found;
  for (int repeat = 0; repeat < 200; ++repeat) {
    const auto columns = static_cast<std::int64_t>(1 + random() % 400);
    const std::vector<T> run = draw<T>(1, columns, repeat % 7, random).entries;
    std::vector<T> v((columns + 63) / 64 * 64, T{0});
    for (std::int64_t j = 0; repeat % 2 == 0 && j < columns; ++j) v[j] = static_cast<T>(random() % 5) / T{4};
    std::vector<std::uint64_t> masks(columns / 64 + 1);
    const std::int64_t start = static_cast<std::int64_t>(random()) % columns;
    const T guess = run[random() % run.size()];
    for (std::size_t k = 0; k < levels.size(); ++k) {
      const auto& kernels = simd::select<T>(*levels[k]);
      kernels.scan(run.data(), v.data(), T{0}, columns, start, repeat % 3 == 0 ? &guess : nullptr, nullptr,
                   masks.data(), k == 0 ? reference : found);
      if (k == 0) {
        check_scan(reference, run, v);
      } else {
        CHECK(same_scan(reference, found));
      }
    }
  }
}

TEST_CASE("simd levels scan alike float32") {
  compare_levels<float>();
}
TEST_CASE("simd levels scan alike float64") {
  compare_levels<double>();
}

// The least reduced cost, and whether one that rounds to it lies below: in long double, exact here.
template <class T>
void check_row_least(const simd::KernelsFor<T>& kernels, const std::vector<T>& run,
                     const std::vector<double>& v) {
  for (const double sign : {1.0, -1.0}) {
    double least = infinity;
    for (std::size_t j = 0; j < run.size(); ++j) {
      least = std::min(least, sign * static_cast<double>(run[j]) - v[j]);
    }
    bool below = false;
    for (std::size_t j = 0; j < run.size(); ++j) {
      const double cost = sign * static_cast<double>(run[j]);
      if (cost - v[j] != least) continue;
      below |=
          static_cast<long double>(cost) - static_cast<long double>(v[j]) < static_cast<long double>(least);
    }
    const simd::Tight found = kernels.row_least(run.data(), static_cast<T>(0.0 * sign),
                                                static_cast<std::int64_t>(run.size()), v.data());
    CHECK(found.least == least);
    CHECK(found.below == below);
  }
}

template <class T>
void check_relax(const simd::KernelsFor<T>& kernels, const std::vector<T>& run,
                 const std::vector<double>& v) {
  const auto columns = static_cast<std::int64_t>(run.size());
  const std::int64_t padded = (columns + 7) / 8 * 8;
  std::vector<double> open(padded, infinity);
  std::vector<std::int32_t> from(padded, -1);
  for (std::int64_t j = 0; j < columns; j += 2) open[j] = 0.25;
  std::vector<double> expected = open;
  double least = infinity;
  for (std::int64_t j = 0; j < columns; ++j) {
    expected[j] = std::min(expected[j], 0.5 + (static_cast<double>(run[j]) - v[j]));
    least = std::min(least, expected[j]);
  }
  CHECK(kernels.relax(run.data(), T{0}, 0.0, 0.5, columns, v.data(), 7, open.data(), from.data()) == least);
  CHECK(open == expected);
  for (std::int64_t j = 0; j < columns; ++j) {
    CHECK((from[j] == 7) == (expected[j] < (j % 2 == 0 ? 0.25 : infinity)));
  }
}

template <class T>
void check_dense_kernels() {
  std::mt19937 random(13);
  for (int repeat = 0; repeat < 100; ++repeat) {
    const auto columns = static_cast<std::int64_t>(1 + random() % 90);
    const std::vector<T> run = draw<T>(1, columns, repeat % 7, random).entries;
    std::vector<double> v((columns + 63) / 64 * 64, 0.0);
    // Quarters, and with every third problem bits that a difference of ordinary costs loses.
    const double bits = repeat % 3 == 0 ? 0x1p-54 : 0.0;
    for (std::int64_t j = 0; j < columns; ++j) {
      v[j] = static_cast<double>(random() % 9) / 4.0 + bits * static_cast<double>(random() % 3);
    }
    for (const simd::Kernels* level : simd::available()) {
      const auto& kernels = simd::select<T>(*level);
      check_row_least(kernels, run, v);
      check_relax(kernels, run, v);
    }
  }
}

TEST_CASE("simd dense kernels float32") {
  check_dense_kernels<float>();
}
TEST_CASE("simd dense kernels float64") {
  check_dense_kernels<double>();
}

TEST_CASE("simd scan reports invalid entries") {
  for (const simd::Kernels* level : simd::available()) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      for (const std::int64_t place : {0, 63, 64, 150}) {
        std::vector<float> run(151, 1.0f);
        for (std::size_t j = 0; j < run.size(); ++j) run[j] = static_cast<float>(j);
        run[place] = bad;
        const std::vector<float> v(192, 0.0f);
        std::vector<std::uint64_t> masks(4);
        simd::Scan<float> found;
        level->float32.scan(run.data(), v.data(), 0.0f, 151, 0, nullptr, nullptr, masks.data(), found);
        CHECK(found.invalid);
      }
    }
  }
}

}  // namespace
