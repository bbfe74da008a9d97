// Sums of floating-point numbers and integers of any magnitude, without rounding.
#pragma once

#include <cstdint>

#include "assignment/exact/dyadic.hpp"
#include "assignment/exact/wide_integer.hpp"

namespace rebasin::assignment {

// A fixed-point number wide enough for sums of 2^200 numbers of any float64 or 64-bit integer.
class RealSum {
 public:
  RealSum& add(const Dyadic& x) {
    add_dyadic(value_, x, unit);
    return *this;
  }
  RealSum& add(double x) { return add(to_dyadic(x)); }

  // Adds or subtracts an integer in units of 2^exponent.
  RealSum& add(std::int64_t x, int exponent, bool subtract) {
    const Dyadic term = to_dyadic(x);
    return add({term.negative != subtract, term.magnitude, term.exponent + exponent});
  }
  template <int words>
  RealSum& add(WideInteger<words> x, int exponent, bool subtract) {
    const bool negative = x.negative();
    if (negative) x = WideInteger<words>{} - x;
    for (int k = 0; k < words; ++k) {
      add(make_dyadic(negative != subtract, x.word[k], exponent + 64 * k));
    }
    return *this;
  }

  double nearest() const;  // ties to even; infinite beyond float64
  double down() const;     // the greatest double at or below the sum; infinite beyond float64

 private:
  static constexpr int unit = -1074;
  WideInteger<36> value_;
};

}  // namespace rebasin::assignment
