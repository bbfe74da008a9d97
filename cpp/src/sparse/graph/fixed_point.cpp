#include "sparse/graph/fixed_point.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>

#include "assignment/exact/dyadic.hpp"
#include "sparse/graph/typed_view.hpp"

namespace rebasin::sparse {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// Bits below the lowest of the costs, so that bid increments can be fractions.
constexpr int fraction_bits = 16;
// Integers below keep their value; from larger ones the least is subtracted.
constexpr int small_bits = 40;
// Gap in powers of two above which the larger magnitudes are markers.
constexpr int marker_bits = 16;

// The exponents that occur among magnitudes, zero and infinity left out.
using Exponents = std::array<bool, 2048>;

void widen(CostRange& range, Exponents& exponents, double cost, double limit, bool maximize) {
  const double magnitude = std::abs(cost);
  if (!(magnitude < infinity)) {
    range.invalid |= cost != cost || (cost < 0.0) != maximize;
    return;
  }
  if (cost == 0.0 || magnitude >= limit) return;
  range.largest = std::max(range.largest, magnitude);
  range.lowest_bit = std::min(range.lowest_bit, assignment::to_dyadic(cost).exponent);
  exponents[std::bit_cast<std::uint64_t>(magnitude) >> 52] = true;
}

// Above the highest gap in the exponents that is wide enough.
double find_markers(const Exponents& exponents) {
  int above = -1;
  for (int exponent = 2046; exponent >= 0; --exponent) {
    if (!exponents[exponent]) continue;
    if (above >= 0 && above - exponent > marker_bits) return std::ldexp(1.0, above - 1023);
    above = exponent;
  }
  return infinity;
}

}  // namespace

template <class View>
CostRange find_range(const View& view, double limit) {
  CostRange range;
  const std::int64_t end = view.rows > 0 ? view.end(view.rows - 1) : 0;
  if constexpr (std::is_same_v<typename View::Value, std::int64_t>) {
    range.lowest_bit = 0;
    for (std::int64_t k = view.begin(0); k < end; ++k) {
      range.least = std::min(range.least, view.values[k]);
      range.greatest = std::max(range.greatest, view.values[k]);
    }
  } else {
    Exponents exponents{};
    for (std::int64_t k = view.begin(0); k < end; ++k) {
      widen(range, exponents, static_cast<double>(view.values[k]), limit, view.maximize);
    }
    range.markers_from = find_markers(exponents);
  }
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
  if (fixed.exact) fixed.unit = Fixed{1} << (range.lowest_bit - exponent);
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
  // An offset only where it is needed: without one, duals are those of the costs as they are.
  const std::int64_t low = std::min<std::int64_t>(range.least, 0);
  const std::int64_t high = std::max<std::int64_t>(range.greatest, 0);
  fixed.offset_ = width(low, high) < small_bits ? 0 : range.least;
  const int used = fixed.offset_ == 0 ? width(low, high) : width(range.least, range.greatest);
  fixed.exact = used <= bits;
  if (fixed.exact) {
    fixed.left_shift_ = std::min(fraction_bits, bits - used);
    fixed.unit = Fixed{1} << fixed.left_shift_;
  } else {
    fixed.offset_ = range.least;
    fixed.right_shift_ = width(range.least, range.greatest) - bits;
  }
  fixed.set_exponent(fixed.right_shift_ - fixed.left_shift_);
  return fixed;
}

template CostRange find_range(const TypedView<float, std::int32_t>&, double);
template CostRange find_range(const TypedView<float, std::int64_t>&, double);
template CostRange find_range(const TypedView<double, std::int32_t>&, double);
template CostRange find_range(const TypedView<double, std::int64_t>&, double);
template CostRange find_range(const TypedView<std::int64_t, std::int32_t>&, double);
template CostRange find_range(const TypedView<std::int64_t, std::int64_t>&, double);

}  // namespace rebasin::sparse
