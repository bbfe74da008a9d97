// The order of the stages that solve a graph.
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"
#include "sparse/tuning.hpp"

namespace rebasin::sparse {

struct Solved {
  Attempt attempt;
  std::vector<std::int32_t> violator;  // where infeasible: rows whose entries lie in fewer columns
};

// Assigns every row at the least cost. Matched entries are then tight, and on a rectangle v <= 0, with v = 0
// on unmatched columns. `direct_reads` bounds what shortest paths may read before an auction is tried, over
// the entries there are.
Solved solve(MatchingState& state, Interrupt& interrupt, double direct_reads = tuning::direct_reads);

}  // namespace rebasin::sparse
