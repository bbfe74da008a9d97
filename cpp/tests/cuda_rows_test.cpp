// Candidate lists and certificates: the kernels' own source on the host.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cuda/candidate_row.hpp"
#include "cuda/certificate_row.hpp"
#include "cuda/ordered_bits.hpp"
#include "host_team.hpp"

namespace {

using namespace rebasin::cuda;

std::vector<float> draw(std::int64_t count, bool ties, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = ties ? static_cast<float>(random() % 3) : normal(random);
  return values;
}

void check_list(std::int64_t columns, bool ties, std::mt19937& random) {
  const std::vector<float> row = draw(columns, ties, random);
  std::vector<double> v(static_cast<std::size_t>(columns));
  for (double& dual : v) dual = ties ? 0.0 : 0.01 * static_cast<double>(random() % 100);
  const CostMatrix<float> costs{row.data(), 1, columns, columns, 1, false};
  ListScratch<float> scratch;
  float cost[list_capacity];
  std::int32_t column[list_capacity];
  SerialWarp warp;
  std::int64_t seen = 0;
  const double bound =
      list_sorted(warp, costs, v.data(), 0, scratch, cost, column, [&](std::int64_t, double) { ++seen; });
  CHECK(seen == columns);
  std::vector<bool> listed(static_cast<std::size_t>(columns), false);
  double last = -infinity;
  int count = 0;
  for (int place = 0; place < list_capacity && cost[place] < std::numeric_limits<float>::infinity();
       ++place) {
    const auto j = static_cast<std::size_t>(column[place]);
    CHECK(!listed[j]);
    CHECK(cost[place] == row[j]);
    listed[j] = true;
    const double reduced = static_cast<double>(row[j]) - v[j];
    CHECK(reduced >= last);
    CHECK(reduced <= bound);
    last = reduced;
    ++count;
  }
  double least_unlisted = infinity;
  for (std::size_t j = 0; j < listed.size(); ++j) {
    if (!listed[j]) least_unlisted = std::min(least_unlisted, static_cast<double>(row[j]) - v[j]);
  }
  CHECK(bound == least_unlisted);
  CHECK(count >= std::min<std::int64_t>(columns, buckets_below));
}

}  // namespace

TEST_CASE("cuda lists hold the smallest and bound the rest") {
  std::mt19937 random(1);
  for (int repeat = 0; repeat < 200; ++repeat) {
    check_list(1 + static_cast<std::int64_t>(random() % 300), repeat % 4 == 0, random);
  }
}

TEST_CASE("cuda lists take forbidden rows") {
  const std::vector<float> row(40, std::numeric_limits<float>::infinity());
  const std::vector<double> v(40, 0.0);
  const CostMatrix<float> costs{row.data(), 1, 40, 40, 1, false};
  double minima[bucket_count];
  float cost[list_capacity];
  ListColumn column[list_capacity];
  const RowCandidates found = list_candidates(SerialWarp(), costs, Grid{}, v.data(), 0, minima, cost, column);
  CHECK(found.best == infinity);
  CHECK(found.bound == infinity);
  CHECK(cost[0] == std::numeric_limits<float>::infinity());
}

TEST_CASE("cuda certificate bounds in real arithmetic") {
  std::mt19937 random(2);
  for (int repeat = 0; repeat < 100; ++repeat) {
    const std::int64_t columns = 1 + static_cast<std::int64_t>(random() % 50);
    const std::vector<float> row = draw(columns, false, random);
    std::vector<double> v(static_cast<std::size_t>(columns));
    for (double& dual : v) dual = std::ldexp(static_cast<double>(random()), -33) / 3.0;
    const CostMatrix<float> costs{row.data(), 1, columns, columns, 1, false};
    SerialWarp warp;
    const auto matched = static_cast<std::int64_t>(random()) % columns;
    const RowProof proof = certify_row(warp, costs, v.data(), 0, matched);
    long double least = std::numeric_limits<long double>::infinity();
    for (std::size_t j = 0; j < v.size(); ++j) {
      const long double reduced = static_cast<long double>(row[j]) - static_cast<long double>(v[j]);
      CHECK(static_cast<long double>(proof.dual) <= reduced);
      least = std::min(least, reduced);
    }
    CHECK(least - static_cast<long double>(proof.dual) < 1e-15L);
    const auto j = static_cast<std::size_t>(matched);
    CHECK(static_cast<long double>(proof.slack) >= static_cast<long double>(row[j]) -
                                                       static_cast<long double>(v[j]) -
                                                       static_cast<long double>(proof.dual));
    CHECK(proof.cost == static_cast<double>(row[j]));
  }
}

TEST_CASE("cuda ordered bits keep the order") {
  const double values[] = {-infinity, -3.5, -1e-300, -0.0, 0.0, 5e-324, 1.0, 2.0, infinity};
  for (std::size_t i = 0; i + 1 < std::size(values); ++i) {
    CHECK(to_ordered(values[i]) < to_ordered(values[i + 1]));
    CHECK(from_ordered(to_ordered(values[i])) == values[i]);
  }
}
