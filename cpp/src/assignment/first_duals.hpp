// Where the list solver's duals start.
#pragma once

#include "assignment/list_state.hpp"

namespace rebasin::assignment {

// Square problems: v_j = the mean over a few blocks of rows of the block's column minimum. Any v is feasible
// there; against plain column minima this cuts rebuilt lists 5 to 10 times. One read, less for large
// problems. Rectangles start from v = 0. Sets the grid.
//
// Where most columns' minima are ties, v_j is the column's minimum, state.mostly_ties is set and the grid is
// not.
template <class T>
Outcome start_duals(ListState<T>& state, Interrupt& interrupt);

// Sets the grid for the present duals and moves them to it.
template <class T>
Outcome put_on_grid(ListState<T>& state);

// Takes duals of an earlier problem, as the caller gave them, and sets the grid.
template <class T>
Outcome adopt_duals(ListState<T>& state, const double* duals);

}  // namespace rebasin::assignment
