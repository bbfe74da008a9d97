// The exact dense solver of Jonker & Volgenant (1987), every loop capped. Fallback and oracle of faster
// paths.
#pragma once

#include "assignment/cost_rows.hpp"
#include "assignment/matching_state.hpp"

namespace rebasin::assignment {

// Matches every row, with duals that prove it up to rounding. O(n^2 m) for n <= m.
template <class T>
Status solve_jonker_volgenant(const CostRows<T>& costs, MatchingState& state, Interrupt& interrupt);

}  // namespace rebasin::assignment
