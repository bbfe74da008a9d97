// Where the list solver's duals start.
#pragma once

#include <span>

#include "assignment/list_state.hpp"

namespace rebasin::assignment {

// Square problems: v_j = the mean over a few blocks of rows of the block's column minimum. Any v is feasible
// there; against plain column minima this cuts rebuilt lists 5 to 10 times. One read, less for large
// problems. Rectangles start from v = 0. Sets the grid.
//
// Where most columns' minima are ties, v_j is the column's minimum, state.mostly_ties is set and the grid is
// not.
template <class T>
Attempt start_duals(ListState<T>& state, Interrupt& interrupt);

// Sets the grid for the present duals, and the best costs of a sample of rows, and moves the duals to it.
template <class T>
Attempt put_on_grid(ListState<T>& state);

// The same with the rows to look at given.
template <class T>
Attempt put_on_grid(ListState<T>& state, std::span<const std::int32_t> sample);

// Takes duals of an earlier problem, as the caller gave them, and sets the grid.
template <class T>
Attempt adopt_duals(ListState<T>& state, const double* duals);

}  // namespace rebasin::assignment
