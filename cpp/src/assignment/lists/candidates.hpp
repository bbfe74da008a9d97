// Candidate lists: the few smallest reduced costs of a row, and a bound on all the others (Volgenant 1996,
// LAPMOD).
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

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

}  // namespace rebasin::assignment
