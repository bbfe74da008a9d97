// The solver for large problems: an auction on candidate lists, made exact by shortest paths.
#pragma once

#include "assignment/lists/list_state.hpp"
#include "assignment/proof/certificate.hpp"

namespace rebasin::assignment {

// Matches rows along the entries that column minima leave tied; declined where those do not match all.
template <class T>
Attempt match_by_ties(ListState<T>& state, Certificate& proof, Interrupt& interrupt);

// Solves state.costs from nothing, up to the certificate. declined leaves the problem to the dense
// solver; entries may then be invalid or forbidden. state.solved_by_ties says that there are no lists to
// certify from; proof.u then holds the row duals, or is empty where they have changed since.
template <class T>
Attempt solve_by_lists(ListState<T>& state, Certificate& proof, Interrupt& interrupt);

// Where rows want columns of their own from the beginning, no duals are needed: one read of the matrix.
// declined where they do not.
template <class T>
Attempt match_aligned(ListState<T>& state, Interrupt& interrupt);

}  // namespace rebasin::assignment
