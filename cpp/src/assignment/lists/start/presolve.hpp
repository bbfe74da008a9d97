// Rows and columns of zeros, as dead units have: in an auction they would bid against each other by epsilon
// alone.
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Pairs equal numbers of all-zero rows and columns of a square problem and takes them out: the stages skip
// their rows, and their columns are made too dear to be listed. Expects duals and grid, and no lists yet.
// Does nothing where a sample shows no cost below zero. Rows of zeros without a column of zeros are taken out
// too: they get the columns that the others leave, whose duals then start from zero, as a rectangle's do.
// Reads the matrix once at most, and little of it where there are no zero rows.
template <class T>
void presolve_zeros(ListState<T>& state);

// Matches the rows taken out, once all others are matched, and gives the pairs a dual. False where the duals
// do not prove the pairs optimal: max u + max v <= 0 over the other rows and columns is needed.
template <class T>
bool restore_zeros(ListState<T>& state);

}  // namespace rebasin::assignment
