#include "sparse/fixed_point.hpp"

#include <algorithm>
#include <bit>

#include "sparse/typed_view.hpp"

namespace rebasin::sparse {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// Bits below the lowest of the costs, so that bid increments can be fractions.
constexpr int fraction_bits = 16;
// Integers below keep their value; of larger ones the least is taken off.
constexpr int small_bits = 40;

// x != 0 is a multiple of two to this power.
int lowest_bit_of(double x) {
  constexpr std::uint64_t fraction_mask = (std::uint64_t{1} << 52) - 1;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff);
  const std::uint64_t fraction = bits & fraction_mask;
  if (exponent == 0) return std::countr_zero(fraction) - 1074;
  return exponent - 1075 + std::countr_zero(fraction | (std::uint64_t{1} << 52));
}

void widen(CostRange& range, double cost, bool maximize) {
  const double magnitude = std::abs(cost);
  if (!(magnitude < infinity)) {
    range.invalid |= cost != cost || (cost < 0.0) != maximize;
    return;
  }
  range.largest = std::max(range.largest, magnitude);
  if (cost != 0.0) range.lowest_bit = std::min(range.lowest_bit, lowest_bit_of(cost));
}

void widen(CostRange& range, std::int64_t cost, bool) {
  range.least = std::min(range.least, cost);
  range.greatest = std::max(range.greatest, cost);
}

}  // namespace

template <class View>
CostRange find_range(const View& view) {
  CostRange range;
  for (std::int64_t k = view.begin(0); k < view.end(view.rows - 1); ++k) {
    if constexpr (std::is_same_v<typename View::Value, std::int64_t>) {
      widen(range, view.values[k], view.maximize);
    } else {
      widen(range, static_cast<double>(view.values[k]), view.maximize);
    }
  }
  if constexpr (std::is_same_v<typename View::Value, std::int64_t>) range.lowest_bit = 0;
  return range;
}

void FixedPoint::set_exponent(int exponent) {
  const int half = exponent / 2;
  up_first_ = std::ldexp(1.0, -half);
  up_second_ = std::ldexp(1.0, half - exponent);
  down_first_ = std::ldexp(1.0, half);
  down_second_ = std::ldexp(1.0, exponent - half);
}

FixedPoint FixedPoint::of_floats(const CostRange& range, int bits, bool maximize) {
  FixedPoint fixed;
  if (range.largest == 0.0) return fixed;
  const int top = std::ilogb(range.largest) + 1;
  fixed.exact = top - range.lowest_bit <= bits;
  const int exponent = fixed.exact ? std::max(range.lowest_bit - fraction_bits, top - bits) : top - bits;
  fixed.set_exponent(exponent);
  if (maximize) fixed.up_first_ = -fixed.up_first_;
  return fixed;
}

FixedPoint FixedPoint::of_integers(const CostRange& range, int bits, bool maximize) {
  FixedPoint fixed;
  fixed.negated_ = maximize;
  if (range.least > range.greatest) return fixed;
  const auto width = [](std::int64_t low, std::int64_t high) {
    return std::bit_width(static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low));
  };
  // An offset only where it is needed: without, duals are what one would write down.
  const std::int64_t low = std::min<std::int64_t>(range.least, 0);
  const std::int64_t high = std::max<std::int64_t>(range.greatest, 0);
  fixed.offset_ = width(low, high) < small_bits ? 0 : range.least;
  const int used = fixed.offset_ == 0 ? width(low, high) : width(range.least, range.greatest);
  fixed.exact = used <= bits;
  if (fixed.exact) {
    fixed.left_shift_ = std::min(fraction_bits, bits - used);
  } else {
    fixed.offset_ = range.least;
    fixed.right_shift_ = width(range.least, range.greatest) - bits;
  }
  fixed.set_exponent(fixed.right_shift_ - fixed.left_shift_);
  return fixed;
}

template CostRange find_range(const TypedView<float, std::int32_t>&);
template CostRange find_range(const TypedView<float, std::int64_t>&);
template CostRange find_range(const TypedView<double, std::int32_t>&);
template CostRange find_range(const TypedView<double, std::int64_t>&);
template CostRange find_range(const TypedView<std::int64_t, std::int32_t>&);
template CostRange find_range(const TypedView<std::int64_t, std::int64_t>&);

}  // namespace rebasin::sparse
