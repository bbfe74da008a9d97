// Column duals by an auction over whole rows whose epsilon falls (Bertsekas 1988).
#pragma once

#include "assignment/attempt.hpp"
#include "assignment/cost_rows.hpp"
#include "assignment/matching_state.hpp"
#include "rebasin/interrupt.hpp"

namespace rebasin::assignment {

// For square problems whose rows nearly all want the same columns, where one path search a row would read the
// matrix n / 2 times. Improves state.v, from any duals, and leaves an empty matching: row reduction from
// those duals pairs most rows. Takes up to `tuning::scaling_bids_per_row` row reads a row and phase.
template <class T>
Attempt start_from_scaled_epsilon(const CostRows<T>& costs, MatchingState& state,
                                  AssignmentCounters& counters, Interrupt& interrupt);

}  // namespace rebasin::assignment
