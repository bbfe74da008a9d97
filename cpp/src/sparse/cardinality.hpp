// Greatest matchings without costs, in the phases of Hopcroft & Karp 1973: O(entries * sqrt(rows)).
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

// Extends the matching to a greatest one among all entries; pair costs follow, duals are not touched.
Attempt match_entries(MatchingState& state, Interrupt& interrupt);

// Extends the matching of tight entries to a greatest one among the tight entries of the present duals.
Attempt match_tight_entries(MatchingState& state, Interrupt& interrupt);

}  // namespace rebasin::sparse
