// First duals and first pairs of a square problem (Jonker & Volgenant 1987, steps 1 and 2).
#pragma once

#include "assignment/cost_rows.hpp"
#include "assignment/matching_state.hpp"

namespace rebasin::assignment {

// v_j = min_i c_ij; columns, last to first, take their minimal row if it is free. A row that is minimal for
// one column only hands its slack on to it (reduction transfer). Fills free_rows. At most two reads.
//
// Square problems only: a positive v on a column that stays unmatched would be no dual of a rectangle.
template <class T>
Status reduce_columns(const CostRows<T>& costs, MatchingState& state, Interrupt& interrupt);

}  // namespace rebasin::assignment
