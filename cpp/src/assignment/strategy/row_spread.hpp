// Rows whose costs spread over very different ranges, as heavy-tailed norms make them.
#pragma once

#include <cstdint>
#include <vector>

#include "assignment/costs/cost_rows.hpp"

namespace rebasin::assignment {

// Whether spreads differ by more than an order of magnitude, by a few entries of a sample of rows.
template <class T>
bool rows_differ_in_spread(const CostRows<T>& costs);

// All rows, those of the smallest spread first; reads a few entries of each. `buffer` holds a row.
template <class T>
std::vector<std::int32_t> order_by_spread(const CostRows<T>& costs, std::vector<T>& buffer);

}  // namespace rebasin::assignment
