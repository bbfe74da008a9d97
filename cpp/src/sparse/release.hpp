// Rectangles: columns that are left without a row and with a dual below zero.
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

// Makes v = 0 on every unmatched column of a complete matching of tight entries with v <= 0, as optimality
// requires: from each such column the shortest path of reduced costs leads, over rows that change their
// column, to a column whose dual reaches zero first; that column is left instead. Needs the entries by
// columns: 12 more bytes an entry while it runs, where there is such a column.
Attempt release_columns(MatchingState& state, Interrupt& interrupt);

}  // namespace rebasin::sparse
