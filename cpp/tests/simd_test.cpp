// Every SIMD level against the definition of its kernels, and against the other levels.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "matrices.hpp"
#include "simd/kernels.hpp"

namespace {

using namespace rebasin;

constexpr double infinity = std::numeric_limits<double>::infinity();

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
    const std::vector<T> run = draw_matrix<T>(1, columns, repeat % 7, random).entries;
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
    const std::vector<T> run = draw_matrix<T>(1, columns, repeat % 7, random).entries;
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
