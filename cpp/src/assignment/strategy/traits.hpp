// Traits of a matrix by a sample of its entries, for the choice of a strategy.
#pragma once

#include <cstdint>
#include <vector>

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

// Rows whose costs spread over very different ranges, as heavy-tailed norms make them.

// Whether spreads differ by more than an order of magnitude, by a few entries of a sample of rows.
template <class T>
bool rows_differ_in_spread(const CostRows<T>& costs);

// All rows, those of the smallest spread first; reads a few entries of each. `buffer` holds a row.
template <class T>
std::vector<std::int32_t> order_by_spread(const CostRows<T>& costs, std::vector<T>& buffer);

}  // namespace rebasin::assignment
