// The auction algorithm (Bertsekas 1988) on candidate lists.
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Improves v by forward auctions with a positive epsilon, derived from the typical spacing of the lists, and
// drops their matching. Square problems only. Where one epsilon leaves a price war, it grows until a phase
// completes within the budget of bids, then shrinks back.
template <class T>
Attempt run_epsilon_auction(ListState<T>& state, Interrupt& interrupt);

// The same with the spacing given, for lists too short to show it.
template <class T>
Attempt run_epsilon_auction(ListState<T>& state, double spacing, Interrupt& interrupt);

// Row reduction, which is the auction at epsilon = 0: strict winners bid down to the second best; ties take a
// free column or are postponed. At most `budget` bids; rows still without a column are left in
// state.matching.free_rows. Every matched entry is its row's least reduced cost.
template <class T>
Attempt reduce_rows_by_lists(ListState<T>& state, std::int64_t budget, Interrupt& interrupt);

// The same for the rows in state.matching.free_rows, the last first; the others keep their columns.
template <class T>
Attempt reduce_free_rows(ListState<T>& state, std::int64_t budget, Interrupt& interrupt);

}  // namespace rebasin::assignment
