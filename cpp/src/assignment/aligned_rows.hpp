// Nearly aligned problems, whose rows have one good column each.
#pragma once

#include <cstdint>

#include "assignment/list_state.hpp"

namespace rebasin::assignment {

// True when three quarters of a sample of rows have a best column far ahead of their others, at the present
// duals; with `apart`, columns of their own. Stops reading once enough rows fail.
template <class T>
bool rows_stand_out(ListState<T>& state, std::int64_t sampled_rows, bool apart);

// True when the best entries of half of a sample of rows lead by about as much as the next ones spread, as
// those of distributions with heavy tails do. Stops reading once enough rows fail.
template <class T>
bool best_entries_lead(ListState<T>& state);

}  // namespace rebasin::assignment
