// Traits of a matrix by a sample of its entries, for the choice of a strategy.
#pragma once

#include "assignment/costs/cost_rows.hpp"

namespace rebasin::assignment {

struct Traits {
  double filler_share = 0.0;      // of sampled entries that equal the largest of them
  bool negative = false;          // some sampled entry is below zero
  double equal_neighbours = 0.0;  // share of sampled entries that equal the next one of their row
  bool offset_dominates = false;  // float64 entries whose range is small beside their magnitude
  bool columns_differ = false;    // columns spread over small parts of the whole range, as with offsets
  bool smooth = false;            // neighbours in a row differ by little of the range
  bool tied = false;              // most rows meet their least entry more than once
  bool few_values = false;        // and it is one of two values
};

// Reads up to 512 entries, four runs of 16 in each of 8 rows, and 8 whole rows for their least entries.
template <class T>
Traits sample_traits(const CostRows<T>& costs);

}  // namespace rebasin::assignment
