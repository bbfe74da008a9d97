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

// A common offset is removed where that is exact, and a largest value far above all others ("forbidden") is
// brought down to 4 n times the spread of the others. That changes no optimum: fewer of them still outweigh
// any gain among the others, and of two assignments that use as many the difference stays the same. Costs
// beyond 2^1000 are scaled. None where the range needs nothing.
template <class T>
std::optional<Transform> choose_transform(const CostRange& range, std::int64_t rows);

// Subtracts the least entry from 64-bit integers that float64 does not hold, where it holds the differences;
// the largest value, if all others fit without it, may then round. Returns whether entries other than the
// largest still round.
bool remove_integer_offset(const AnyCostView& view, CostRows<double>& costs);

// The price of an unmatched row above which no assignment with more pairs costs more.
double price_beyond(const CostRange& range, std::int64_t rows);

}  // namespace rebasin::assignment
