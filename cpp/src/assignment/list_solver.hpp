// The solver for large problems: an auction on candidate lists, made exact by shortest paths.
#pragma once

#include "assignment/list_state.hpp"

namespace rebasin::assignment {

// Solves state.costs from nothing, up to the certificate. beyond_lists leaves the problem to the dense
// solver; entries may then be invalid or forbidden.
template <class T>
Outcome solve_by_lists(ListState<T>& state, Interrupt& interrupt);

}  // namespace rebasin::assignment
