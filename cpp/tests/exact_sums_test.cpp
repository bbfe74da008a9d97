// Exact totals, sums of real numbers rounded down, and the proofs for which float64 suffices.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "assignment/exact/finish.hpp"
#include "assignment/exact/real_sum.hpp"
#include "assignment/exact/totals.hpp"

namespace {

using namespace rebasin;
using namespace rebasin::assignment;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double largest = std::numeric_limits<double>::max();

TEST_CASE("exact total rounds once") {
  const auto total = [](const std::vector<double>& terms) {
    return exact_total(terms.data(), static_cast<std::int64_t>(terms.size()));
  };
  CHECK(total({}) == 0.0);
  CHECK(total({1e308, 1e308, -1e308}) == 1e308);
  CHECK(total({1.0, 1e100, 1.0, -1e100}) == 2.0);
  CHECK(total({1.0, 0x1p-53}) == 1.0);
  CHECK(total({1.0, 0x1p-53, 0x1p-1074}) == 1.0 + 0x1p-52);
  CHECK(total({-1.0, -0x1p-53, -0x1p-1074}) == -1.0 - 0x1p-52);
  CHECK(total({0x1p-1074, 0x1p-1074}) == 0x1p-1073);
  CHECK(total({largest, largest}) == infinity);
  CHECK(total({largest, 0x1p969}) == largest);
  CHECK(total({largest, 0x1p970}) == infinity);
}

TEST_CASE("real sums round down") {
  CHECK(RealSum().down() == 0.0);
  CHECK(RealSum().add(1.0).add(0x1p-1074).down() == 1.0);
  CHECK(RealSum().add(1.0).add(-0x1p-1074).down() == 1.0 - 0x1p-53);
  CHECK(RealSum().add(-1.0).add(-0x1p-1074).down() == -1.0 - 0x1p-52);
  CHECK(RealSum().add(largest).add(largest).down() == infinity);
  CHECK(RealSum().add(-largest).add(-largest).down() == -infinity);
  CHECK(RealSum().add(to_dyadic(std::numeric_limits<std::int64_t>::min())).nearest() == -0x1p63);
  CHECK(RealSum().add(to_dyadic(~std::uint64_t{0})).nearest() == 0x1p64);
  CHECK(RealSum().add(to_dyadic(~std::uint64_t{0})).down() == 0x1p64 - 2048);
}

TEST_CASE("proofs beyond rounding are told") {
  const std::vector<double> ordinary{0.5, 0.25, 0.75, 1.0};
  CHECK(proof_is_good_enough(ordinary, 0.0));
  CHECK(proof_is_good_enough(ordinary, 1e-15));
  CHECK(!proof_is_good_enough(ordinary, 1e-3));
  CHECK(!proof_is_good_enough({0.5, 0.25, 0.75, 9e18}, 1e3));
  CHECK(!proof_is_good_enough({1e12 + 0.5, 1e12 + 0.25, 1e12 + 0.125, 1e12}, 1e-3));
  CHECK(!proof_is_good_enough(ordinary, infinity));
}

}  // namespace
