// The range of a matrix, and the transform that brings costs of very different magnitudes to one.
#pragma once

#include <optional>

#include "assignment/attempt.hpp"
#include "assignment/costs/cost_rows.hpp"

namespace rebasin::assignment {

// Of the finite entries in the sign that is minimised.
struct CostRange {
  double least = 0.0;
  double second_largest = 0.0;  // the largest below `largest`; `least` where there is none
  double largest = 0.0;
  bool any = false;              // a finite entry exists
  bool offset_is_exact = false;  // no entry's difference to `least` rounds, the largest entries left out
};

// One read of the matrix, or two. invalid where an entry is NaN or an infinity that no assignment may use.
template <class T>
Attempt measure_range(const CostRows<T>& costs, CostRange& range, Interrupt& interrupt);

// The factor that keeps sums of up to 2^64 of the largest costs within float64.
inline constexpr double shrink = 0x1p-64;

// A common offset is removed where that is exact, and a largest value far above all others ("forbidden") is
// brought down to 4 n times the spread of the others. That changes no optimum: fewer of them still outweigh
// any gain among the others, and of two assignments that use as many the difference stays the same. Costs
// beyond 2^1000 are scaled. None where the range needs nothing.
template <class T>
std::optional<Transform> choose_transform(const CostRange& range, std::int64_t rows);

// Which 64-bit integers are not what float64 makes of them.
enum class Rounded { none, largest, others };

// Subtracts the least entry from 64-bit integers that float64 does not hold, where it holds the differences.
// Not where the largest value alone rounds.
Rounded remove_integer_offset(const AnyCostView& view, CostRows<double>& costs);

// At least the distance of any entry from its float64; 0 unless 64-bit integers lie beyond 2^53.
double largest_rounding(const AnyCostView& view);

// The price of an unmatched row above which no assignment with more pairs costs more.
double price_beyond(const CostRange& range, std::int64_t rows);

}  // namespace rebasin::assignment
