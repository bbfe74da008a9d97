// The solver for large problems: an auction on candidate lists, made exact by shortest paths.
#pragma once

#include "assignment/certificate.hpp"
#include "assignment/list_state.hpp"

namespace rebasin::assignment {

// Solves state.costs from nothing, up to the certificate. beyond_lists leaves the problem to the dense
// solver; entries may then be invalid or forbidden. state.solved_by_ties says that there are no lists to
// certify from; proof.u then holds the row duals, or is empty where they have changed since.
template <class T>
Outcome solve_by_lists(ListState<T>& state, Certificate& proof, Interrupt& interrupt);

// The part of it after duals and lists: auction, row reduction, paths.
template <class T>
Outcome solve_listed(ListState<T>& state, Interrupt& interrupt);

// The same from an earlier problem's duals, as the caller gave them; stale_start where a cold start is the
// better one, known after a few rows or, at worst, one read.
template <class T>
Outcome solve_from_duals(ListState<T>& state, const double* row_duals, const double* column_duals,
                         Interrupt& interrupt);

}  // namespace rebasin::assignment
