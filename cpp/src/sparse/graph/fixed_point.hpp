// Real costs as fixed-point numbers, and back.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "sparse/graph/graph.hpp"

namespace rebasin::sparse {

// The finite costs of a problem, and the two errors that an entry can be.
struct CostRange {
  double largest = 0.0;   // magnitude, for floats
  int lowest_bit = 2000;  // every cost is a multiple of 2^lowest_bit; 2000 when all are zero
  std::int64_t least = std::numeric_limits<std::int64_t>::max();  // for integers
  std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
  bool invalid = false;  // NaN, or the infinity that no assignment may use
  // Magnitudes at or above are taken for markers of forbidden entries: so far beyond the rest that one grid
  // of fixed-point numbers cannot hold both; infinity when there are none.
  double markers_from = std::numeric_limits<double>::infinity();
};

// Of the entries of lesser magnitude than `limit`, which is for floats.
template <class View>
CostRange find_range(const View& view, double limit = std::numeric_limits<double>::infinity());

// The number that stands for a cost: sign * (cost - offset) / 2^exponent, rounded where `exact` is false.
class FixedPoint {
 public:
  // Costs get at most `bits` bits.
  static FixedPoint of_floats(const CostRange& range, int bits, bool maximize);
  static FixedPoint of_integers(const CostRange& range, int bits, bool maximize);

  Fixed from(double cost) const {
    const double scaled = cost * up_first_ * up_second_;
    return static_cast<Fixed>(exact ? scaled : scaled + (scaled < 0.0 ? -0.5 : 0.5));
  }
  Fixed from(float cost) const { return from(static_cast<double>(cost)); }
  Fixed from(std::int64_t cost) const {
    const std::uint64_t above = static_cast<std::uint64_t>(cost) - static_cast<std::uint64_t>(offset_);
    const std::uint64_t fixed =
        exact ? above << left_shift_ : (above >> right_shift_) + (above >> (right_shift_ - 1) & 1);
    return negated_ ? -static_cast<Fixed>(fixed) : static_cast<Fixed>(fixed);
  }

  // Of a dual, without the offset.
  double to_real(Fixed dual) const { return static_cast<double>(dual) * down_first_ * down_second_; }

  bool exact = true;
  Fixed unit = 1;  // a power of two that divides every number

 private:
  void set_exponent(int exponent);

  double up_first_ = 1.0;  // two factors, as 2^-exponent itself can overflow
  double up_second_ = 1.0;
  double down_first_ = 1.0;
  double down_second_ = 1.0;
  bool negated_ = false;
  std::int64_t offset_ = 0;  // of integers
  int left_shift_ = 0;
  int right_shift_ = 0;
};

}  // namespace rebasin::sparse
