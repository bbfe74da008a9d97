// Beginnings of a solve on lists: first duals, and the matrices that need none.
#pragma once

#include <cstdint>

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// First duals of the list solver: column reduction (Jonker & Volgenant 1987, section 2.1) by blocks of rows.

// Square problems: v_j = the mean over a few blocks of rows of the block's column minimum. Any v is feasible
// there; against plain column minima this cuts rebuilt lists 5 to 10 times. One read, less for large
// problems. Rectangles start from v = 0. Sets the grid.
//
// Where most columns' minima are ties, v_j is the column's minimum, state.traits.mostly_ties is set and the
// grid is not.
template <class T>
Attempt start_duals(ListState<T>& state, Interrupt& interrupt);

// Dead units: rows and columns of zeros, which would start a price war among themselves.

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

// Matchings among ties, for costs of few distinct values (Hopcroft & Karp 1973 without layers, on bits).

enum class TiesMayLeave { no_row, rows };

// Finds a greatest matching of rows to columns at their least reduced cost under state.duals.v, by searching
// on bits (Koenig; one bit an entry), and leaves the rest in state.matching.free_rows. Fills
// state.row_duals, which prove the matching if it is complete. declined at the first row that is left, unless
// rows may be. One read.
template <class T>
Attempt match_ties(ListState<T>& state, TiesMayLeave rows_left, Interrupt& interrupt);

// Nearly aligned problems, whose rows have one good column each.

// The best entries of a sample of rows at the present duals.
struct BestEntries {
  bool lead = false;   // half of them lead by about as much as the next ones spread, as heavy tails do
  bool apart = false;  // three quarters stand out even more, in columns of their own, as aligned rows do
};

// Scans 16 rows at most, and no more once enough of them fail.
template <class T>
BestEntries sample_best_entries(ListState<T>& state);

// True when three quarters of a sample of rows have a best column far ahead of their others.
template <class T>
bool rows_stand_out(ListState<T>& state, std::int64_t sampled_rows);

}  // namespace rebasin::assignment
