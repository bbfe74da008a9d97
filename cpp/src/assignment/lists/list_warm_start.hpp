// The list solver from the duals of an earlier problem.
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Solves state.costs from duals as the caller gave them; declined where a cold start is the better one, known
// after a few rows or, at worst, one read.
template <class T>
Attempt solve_from_duals(ListState<T>& state, const double* row_duals, const double* column_duals,
                         Interrupt& interrupt);

}  // namespace rebasin::assignment
