// Which stages solve a graph, in which order.
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"
#include "sparse/tuning.hpp"

namespace rebasin::sparse {

// Assigns every row at the least cost. Matched entries are then tight, and on a rectangle v <= 0, with v = 0
// on unmatched columns. Where infeasible, `violator` holds rows whose entries lie in fewer columns.
// `direct_reads` bounds what shortest paths may read before an auction is tried, over the entries there are.
Attempt solve(MatchingState& state, std::vector<std::int32_t>& violator, Interrupt& interrupt,
              double direct_reads = tuning::direct_reads);

}  // namespace rebasin::sparse
