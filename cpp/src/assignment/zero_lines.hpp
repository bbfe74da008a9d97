// Dead units: rows and columns of zeros, which would start a price war among themselves.
#pragma once

#include "assignment/list_state.hpp"

namespace rebasin::assignment {

// Pairs equal numbers of all-zero rows and columns of a square problem and freezes them: their rows are
// skipped by the stages, their columns made too dear to be listed. Expects duals and grid, and no lists yet.
// Does nothing where a sample shows no cost below zero. Rows of zeros beyond the columns of zeros are frozen
// too: they take what the others leave, whose duals then start from zero, as a rectangle's do.
// Reads the matrix once at most, and little of it where there are no zero rows.
template <class T>
void freeze_zero_lines(ListState<T>& state);

// Gives the frozen pairs a dual once all other rows are matched. False where the pairs belong to no optimum
// that the duals prove: valid is what max u + max v <= 0 over the rest allows.
template <class T>
bool thaw_zero_lines(ListState<T>& state);

}  // namespace rebasin::assignment
