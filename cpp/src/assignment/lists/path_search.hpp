// Shortest augmenting paths on candidate lists, continued on whole rows where lists do not reach.
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Matches every row of state.matching.free_rows by Dijkstra's search. Each scanned row offers its list, and a
// sentinel at the bound on its unlisted entries; a sentinel that becomes nearest rebuilds the list. A search
// that keeps rebuilding goes on, from the same tree, over whole rows. declined where no path exists or v
// leaves the grid.
template <class T>
Attempt search_paths(ListState<T>& state, Interrupt& interrupt);

// The same without any lists: whole rows from the start.
template <class T>
Attempt search_paths_over_rows(ListState<T>& state, Interrupt& interrupt);

}  // namespace rebasin::assignment
