// The stages of a solve on sparse rows, each on the matching and duals that the one before left.
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

// Auctions on sparse rows: with epsilon (Bertsekas 1988), and row reduction (Jonker & Volgenant 1987, 2.2).

// Gauss-Seidel auction, last freed row first: each free row takes its best column, whose dual falls by the
// distance to the row's second best and by epsilon > 0. Afterwards matched entries are within epsilon of
// tight. A row with one entry bids `range` beyond. Ends out_of_budget after reading `budget` entries.
Attempt run_auction(MatchingState& state, Fixed epsilon, Fixed range, std::int64_t budget,
                    Interrupt& interrupt);

// The same with epsilon = 0, from tight pairs to tight pairs. A row with a tie takes a free column or waits
// for the next of `rounds`. Rows left over stay in free_rows; never ends out_of_budget.
Attempt reduce_rows(MatchingState& state, Fixed range, int rounds, std::int64_t budget, Interrupt& interrupt);

// From a matching within epsilon of tight to one of tight entries.

// Price refinement (Goldberg and Kennedy 1995): lowers duals until every matched entry is tight, keeping the
// matching, by label correcting as Bellman and Ford do. That succeeds for all rows if the matching is
// optimal. Rows on cycles of negative length never come to rest: a row that is visited more than
// `most_visits` times is freed, and so is, on a rectangle, a row whose least reduced cost is that of an
// unmatched column.
Attempt refine_duals(MatchingState& state, int most_visits, Interrupt& interrupt);

// Greatest matchings without costs, in the phases of Hopcroft & Karp 1973: O(entries * sqrt(rows)).

// Extends the matching to a greatest one among all entries; pair costs follow, duals are not touched.
Attempt match_entries(MatchingState& state, Interrupt& interrupt);

// Extends the matching of tight entries to a greatest one among the tight entries of the present duals.
Attempt match_tight_entries(MatchingState& state, Interrupt& interrupt);

// Rectangles: columns that are left without a row and with a dual below zero.

// Makes v = 0 on every unmatched column of a complete matching of tight entries with v <= 0, as optimality
// requires: from each such column the shortest path of reduced costs leads, over rows that change their
// column, to a column whose dual reaches zero first; that column is left instead. Needs the entries by
// columns: 12 more bytes an entry while it runs, where there is such a column.
Attempt release_columns(MatchingState& state, Interrupt& interrupt);

}  // namespace rebasin::sparse
