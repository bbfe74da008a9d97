// First duals of the dense solver by column reduction (Jonker & Volgenant 1987, section 2.1).
#pragma once

#include "assignment/attempt.hpp"
#include "assignment/costs/cost_rows.hpp"
#include "assignment/matching_state.hpp"
#include "rebasin/interrupt.hpp"

namespace rebasin::assignment {

// Sets state.v to the column minima of the first `counted_rows` rows of a square problem, to zero otherwise:
// duals that no matching is needed for. One read of a square matrix.
template <class T>
Attempt start_from_column_minima(const CostRows<T>& costs, std::int64_t counted_rows, MatchingState& state,
                                 Interrupt& interrupt);

// The same with row minima subtracted first, so that offsets of rows and of columns go.
template <class T>
Attempt start_from_reduced_minima(const CostRows<T>& costs, std::int64_t counted_rows, MatchingState& state,
                                  Interrupt& interrupt);

}  // namespace rebasin::assignment
