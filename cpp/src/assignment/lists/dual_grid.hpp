// Duals on a grid on which all arithmetic of the lists is exact.
#pragma once

#include <span>

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Sets the grid for the present duals, and the best costs of a sample of rows, and moves the duals to it.
template <class T>
Attempt put_on_grid(ListState<T>& state);

// The same with the rows of the sample given.
template <class T>
Attempt put_on_grid(ListState<T>& state, std::span<const std::int32_t> sample);

// Sets duals of an earlier problem, in the caller's sign and orientation, and the grid.
template <class T>
Attempt adopt_duals(ListState<T>& state, const double* duals);

}  // namespace rebasin::assignment
