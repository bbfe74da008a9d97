// The solver for large problems: an auction on candidate lists, made exact by shortest paths.
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Matches rows along the entries that column minima leave tied; declined where those do not match all.
template <class T>
Attempt match_by_ties(ListState<T>& state, Interrupt& interrupt);

// Solves state.costs from nothing, up to the certificate, whose kind state.evidence gives. declined
// leaves the problem to the dense solver; entries may then be invalid or forbidden.
template <class T>
Attempt solve_by_lists(ListState<T>& state, Interrupt& interrupt);

// Where the best entries of the rows lie in different columns, no duals are needed: one read of the matrix.
// declined where they do not.
template <class T>
Attempt match_aligned(ListState<T>& state, Interrupt& interrupt);

// The list solver from the duals of an earlier problem.

// Solves state.costs from duals as the caller gave them; declined where a cold start is the better one, known
// after a few rows or, at worst, one read.
template <class T>
Attempt solve_from_duals(ListState<T>& state, const double* row_duals, const double* column_duals,
                         Interrupt& interrupt);

}  // namespace rebasin::assignment
