// Matchings among ties, for costs of few distinct values (Hopcroft & Karp 1973 without layers, on bits).
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

enum class TiesMayLeave { no_row, rows };

// Finds a greatest matching of rows to columns at their least reduced cost under state.duals.v, by searching
// on bits (Koenig; one bit an entry), and leaves the rest in state.matching.free_rows. Fills
// state.row_duals, which prove the matching if it is complete. declined at the first row that is left, unless
// rows may be. One read.
template <class T>
Attempt match_ties(ListState<T>& state, TiesMayLeave rows_left, Interrupt& interrupt);

}  // namespace rebasin::assignment
