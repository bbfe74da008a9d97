// Shortest augmenting paths on the dense matrix (Jonker & Volgenant 1987, step 4; Crouse 2016 for
// rectangles).
#pragma once

#include "assignment/cost_rows.hpp"
#include "assignment/matching_state.hpp"

namespace rebasin::assignment {

// Matches every free row by Dijkstra's search over reduced costs. Expects matched entries to be their row's
// minimum reduced cost; keeps that, and lowers v on matched columns only. One row read per scanned row, at
// most rows() of them a search.
template <class T>
Status augment(const CostRows<T>& costs, MatchingState& state, Interrupt& interrupt);

}  // namespace rebasin::assignment
