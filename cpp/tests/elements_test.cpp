// Widening of the storage types, for every bit pattern.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "rebasin/descent.hpp"

namespace {

using namespace rebasin;

// The value of a half by its definition.
float half_by_definition(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const int mantissa = bits & 0x3ff;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 0x1f) {
    return mantissa ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
}

TEST_CASE("halves widen exactly") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float expected = half_by_definition(static_cast<std::uint16_t>(bits));
    const float found = widen(Float16{static_cast<std::uint16_t>(bits)});
    CHECK(std::isnan(expected)
              ? std::isnan(found)
              : std::bit_cast<std::uint32_t>(found) == std::bit_cast<std::uint32_t>(expected));
  }
}

TEST_CASE("bfloats widen exactly") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float found = widen(BFloat16{static_cast<std::uint16_t>(bits)});
    const int exponent = static_cast<int>(bits >> 7 & 0xff);
    const auto mantissa = static_cast<float>(bits & 0x7f);
    const float sign = bits & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 0xff) {
      CHECK((mantissa != 0.0f ? std::isnan(found) : found == sign * std::numeric_limits<float>::infinity()));
      continue;
    }
    const float expected =
        exponent == 0 ? std::ldexp(mantissa, -133) : std::ldexp(128.0f + mantissa, exponent - 134);
    CHECK(found == sign * expected);
    CHECK(std::signbit(found) == std::signbit(sign));
  }
}

}  // namespace
