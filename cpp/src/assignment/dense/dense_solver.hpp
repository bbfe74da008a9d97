// The dense solver: row reduction and shortest augmenting paths over whole rows (Jonker & Volgenant 1987).
#pragma once

#include <limits>

#include "assignment/attempt.hpp"
#include "assignment/costs/cost_rows.hpp"
#include "assignment/matching_state.hpp"
#include "rebasin/interrupt.hpp"

namespace rebasin::assignment {

struct DenseLimits {
  // A row may stay without a column at this price; +inf: every row needs one.
  double unmatched_price = std::numeric_limits<double>::infinity();
  // Declines where row reduction leaves more than this share of the rows free.
  double most_free_rows = 1.0;
  // Declines as soon as too many rows bid for the same columns.
  bool until_conflicts = false;
};

// Completes a matching at least cost from the column duals state.v, any on a square problem without a price,
// zero otherwise. Starts from an empty matching. declined where a limit is met. Time O(n^2 m); reads each row
// once, and a row for every step of a path search.
template <class T>
Attempt solve_densely(const CostRows<T>& costs, MatchingState& state, const DenseLimits& limits,
                      AssignmentCounters& counters, Interrupt& interrupt);

}  // namespace rebasin::assignment
