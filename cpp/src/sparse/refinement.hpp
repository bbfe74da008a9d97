// From a matching within epsilon of tight to one of tight entries.
#pragma once

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

// Price refinement (Goldberg and Kennedy 1995): lowers duals until every matched entry is tight, keeping the
// matching, by label correcting as Bellman and Ford do. That succeeds for all rows if the matching is
// optimal. Rows on cycles of negative length never become tight: a row that is visited more than
// `most_visits` times is freed, and so is, on a rectangle, a row whose least reduced cost is that of an
// unmatched column.
Attempt refine_duals(MatchingState& state, int most_visits, Interrupt& interrupt);

}  // namespace rebasin::sparse
