// Numbers m * 2^e: every finite floating-point number and every integer, without rounding.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "assignment/exact/wide_integer.hpp"

namespace rebasin::assignment {

// (-1)^negative * magnitude * 2^exponent, with an odd magnitude; zero has magnitude 0.
struct Dyadic {
  bool negative = false;
  std::uint64_t magnitude = 0;
  int exponent = 0;

  bool zero() const { return magnitude == 0; }
  Dyadic operator-() const { return {!negative, magnitude, exponent}; }
};

inline Dyadic make_dyadic(bool negative, std::uint64_t magnitude, int exponent) {
  if (magnitude == 0) return {};
  const int zeros = std::countr_zero(magnitude);
  return {negative, magnitude >> zeros, exponent + zeros};
}

// Of a finite x, times 2^exponent.
inline Dyadic to_dyadic(double x, int exponent = 0) {
  constexpr std::uint64_t hidden = std::uint64_t{1} << 52;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const int biased = static_cast<int>(bits >> 52 & 0x7ff);
  const std::uint64_t fraction = bits & (hidden - 1);
  const bool negative = bits >> 63 != 0;
  if (biased == 0) return make_dyadic(negative, fraction, exponent - 1074);
  return make_dyadic(negative, fraction | hidden, exponent + biased - 1075);
}

inline Dyadic to_dyadic(std::int64_t x) {
  return make_dyadic(x < 0, x < 0 ? 0 - static_cast<std::uint64_t>(x) : static_cast<std::uint64_t>(x), 0);
}
inline Dyadic to_dyadic(std::uint64_t x) {
  return make_dyadic(false, x, 0);
}

// Adds x in units of 2^unit, modulo the integer's range; x is a multiple of the unit.
template <int words>
void add_dyadic(WideInteger<words>& sum, const Dyadic& x, int unit) {
  if (!x.zero()) sum.add_shifted(x.negative, x.magnitude, x.exponent - unit);
}
inline void add_dyadic(std::int64_t& sum, const Dyadic& x, int unit) {
  if (x.zero() || x.exponent - unit >= 64) return;
  const std::uint64_t term = x.magnitude << (x.exponent - unit);
  const auto wrapped = static_cast<std::uint64_t>(sum);
  sum = static_cast<std::int64_t>(x.negative ? wrapped - term : wrapped + term);
}

}  // namespace rebasin::assignment
