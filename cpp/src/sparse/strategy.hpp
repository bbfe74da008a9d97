// Which stages solve a graph, in which order.
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

// Assigns every row at the least cost. Matched entries are then tight, and on a rectangle v <= 0, with v = 0
// on unmatched columns. With no_path `violator` holds rows whose entries lie in fewer columns.
Outcome solve(MatchingState& state, std::vector<std::int32_t>& violator, Interrupt& interrupt);

}  // namespace rebasin::sparse
