#include "assignment/exact/real_sum.hpp"

#include <bit>
#include <cmath>
#include <cstddef>

namespace rebasin::assignment {
namespace {

constexpr int precision = 53;

// The leading 53 bits of a magnitude, and the rest.
struct Leading {
  std::uint64_t bits = 0;
  int shift = 0;            // the magnitude is bits * 2^shift and a rest
  bool rest = false;        // the rest is not zero
  bool above_half = false;  // the rest is above half of 2^shift
  bool half = false;        // or exactly half
};

template <int words>
bool any_below(const WideInteger<words>& x, int bit) {
  for (int k = 0; k < bit / 64; ++k) {
    if (x.word[k] != 0) return true;
  }
  return bit % 64 != 0 && (x.word[bit / 64] & ((std::uint64_t{1} << bit % 64) - 1)) != 0;
}

template <int words>
Leading leading_bits(const WideInteger<words>& x) {
  int top = words - 1;
  while (top > 0 && x.word[top] == 0) --top;
  const int length = 64 * top + std::bit_width(x.word[top]);
  Leading found;
  if (length <= precision) {
    found.bits = x.word[0];
    return found;
  }
  found.shift = length - precision;
  const auto first = static_cast<std::size_t>(found.shift / 64);
  const int bit = found.shift % 64;
  found.bits = x.word[first] >> bit;
  if (bit != 0 && first + 1 < words) found.bits |= x.word[first + 1] << (64 - bit);
  found.bits &= (std::uint64_t{1} << precision) - 1;
  const int next = found.shift - 1;
  const bool next_bit = (x.word[next / 64] >> next % 64 & 1) != 0;
  const bool below = any_below(x, next);
  found.rest = next_bit || below;
  found.half = next_bit && !below;
  found.above_half = next_bit && below;
  return found;
}

}  // namespace

double RealSum::nearest() const {
  const bool negative = value_.negative();
  Leading found = leading_bits(negative ? WideInteger<36>{} - value_ : value_);
  if (found.above_half || (found.half && (found.bits & 1) != 0)) ++found.bits;
  const double magnitude = std::ldexp(static_cast<double>(found.bits), found.shift + unit);
  return negative ? -magnitude : magnitude;
}

double RealSum::down() const {
  const bool negative = value_.negative();
  Leading found = leading_bits(negative ? WideInteger<36>{} - value_ : value_);
  if (negative && found.rest) ++found.bits;
  const double magnitude = std::ldexp(static_cast<double>(found.bits), found.shift + unit);
  return negative ? -magnitude : magnitude;
}

}  // namespace rebasin::assignment
