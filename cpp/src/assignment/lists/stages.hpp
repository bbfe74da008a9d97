// The stages of a solve on candidate lists.
#pragma once

#include <span>

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Duals on a grid on which all arithmetic of the lists is exact.

// Sets the grid for the present duals, and the best costs of a sample of rows, and moves the duals to it.
template <class T>
Attempt put_on_grid(ListState<T>& state);

// The same with the rows of the sample given.
template <class T>
Attempt put_on_grid(ListState<T>& state, std::span<const std::int32_t> sample);

// Takes duals of an earlier problem, as the caller gave them, and sets the grid.
template <class T>
Attempt adopt_duals(ListState<T>& state, const double* duals);

// Candidate lists: the few smallest reduced costs of a row, and a bound on all the others (Volgenant 1996,
// LAPMOD).

// Scans row i at the present duals into state.lists.found. One row read.
template <class T>
void scan_row(ListState<T>& state, std::int64_t i);

// Builds every row's list; declined where an entry is invalid or a row has none within the grid. One
// read.
template <class T>
Attempt build_lists(ListState<T>& state, Interrupt& interrupt);

// The same with one entry a row, for rows whose best entries lie in different columns. A row that loses its
// best column gets a whole list at its next bid.
template <class T>
Attempt build_best_only(ListState<T>& state, Interrupt& interrupt);

// The same with the entries at or below `thresholds[i]`; a whole list where these are none, or too many.
template <class T>
Attempt build_lists_below(ListState<T>& state, const std::vector<T>& thresholds, Interrupt& interrupt);

// Rebuilds row i's list at the present duals; false where it has no entry within the grid.
template <class T>
bool rebuild_list(ListState<T>& state, std::int64_t i);

// The best two of row i at the present duals, proven: `second` is at most the least reduced cost of any other
// column, and best is the least of all. Rebuilds the list when its bound no longer proves the best. best is
// +inf where the row has no entry within the grid.
template <class T>
simd::TwoBest find_best(ListState<T>& state, std::int64_t i);

// The auction algorithm (Bertsekas 1988) on candidate lists.

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

// Shortest augmenting paths on candidate lists, continued on whole rows where lists do not reach.

// Matches every row of state.matching.free_rows by Dijkstra's search. Each scanned row offers its list, and a
// sentinel at the bound on its unlisted entries; a sentinel that becomes nearest rebuilds the list. A search
// that keeps rebuilding goes on, from the same tree, over whole rows. declined where no path exists or v
// leaves the grid.
template <class T>
Attempt search_paths(ListState<T>& state, Interrupt& interrupt);

// The same without any lists: whole rows from the start.
template <class T>
Attempt search_paths_over_rows(ListState<T>& state, Interrupt& interrupt);

// From candidate lists to a matching: auction, row reduction, paths.

// Matches the rows from the lists and duals that there are.
template <class T>
Attempt solve_listed(ListState<T>& state, Interrupt& interrupt);

// Its end: row reduction, then shortest paths for the rows left.
template <class T>
Attempt match_exactly(ListState<T>& state, Interrupt& interrupt);

// Rows whose best column is no earlier row's best.
template <class T>
std::int64_t count_distinct_best(const ListRecords<T>& lists, const Presolve& presolve, std::int64_t columns);

// Whether nine in ten rows are of that kind.
template <class T>
bool nearly_all_apart(const ListState<T>& state);

}  // namespace rebasin::assignment
