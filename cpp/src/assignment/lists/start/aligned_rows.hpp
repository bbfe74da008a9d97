// Nearly aligned problems, whose rows have one good column each.
#pragma once

#include <cstdint>

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

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
