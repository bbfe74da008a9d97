// Auctions on sparse rows: with epsilon (Bertsekas 1988), and row reduction (Jonker & Volgenant 1987, 2.2).
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

// Gauss-Seidel auction, last freed row first: each free row takes its best column, whose dual falls by the
// distance to the row's second best and by epsilon > 0. Afterwards matched entries are within epsilon of
// tight. A row with one entry bids `range` beyond. Ends out_of_budget after reading `budget` entries.
Attempt run_auction(MatchingState& state, Fixed epsilon, Fixed range, std::int64_t budget,
                    Interrupt& interrupt);

// The same with epsilon = 0, from tight pairs to tight pairs. A row with a tie takes a free column or waits
// for the next of `rounds`. Rows left over stay in free_rows; never ends out_of_budget.
Attempt reduce_rows(MatchingState& state, Fixed range, int rounds, std::int64_t budget, Interrupt& interrupt);

}  // namespace rebasin::sparse
