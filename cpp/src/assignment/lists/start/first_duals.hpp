// First duals of the list solver: column reduction (Jonker & Volgenant 1987, section 2.1) by blocks of rows.
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Square problems: v_j = the mean over a few blocks of rows of the block's column minimum. Any v is feasible
// there; against plain column minima this cuts rebuilt lists 5 to 10 times. One read, less for large
// problems. Rectangles start from v = 0. Sets the grid.
//
// Where most columns' minima are ties, v_j is the column's minimum, state.traits.mostly_ties is set and the
// grid is not.
template <class T>
Attempt start_duals(ListState<T>& state, Interrupt& interrupt);

}  // namespace rebasin::assignment
