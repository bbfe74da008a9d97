// From candidate lists to a matching: auction, row reduction, paths.
#pragma once

#include "assignment/lists/list_state.hpp"

namespace rebasin::assignment {

// Matches the rows from the lists and duals that there are.
template <class T>
Attempt solve_listed(ListState<T>& state, Interrupt& interrupt);

// Its end: row reduction, then shortest paths for the rows left.
template <class T>
Attempt match_exactly(ListState<T>& state, Interrupt& interrupt);

// Rows whose best column is no earlier row's best.
template <class T>
std::int64_t count_distinct_best(const ListRecords<T>& lists, const Presolve& presolve, std::int64_t columns);

// Whether nine in ten rows have such a column.
template <class T>
bool nearly_all_apart(const ListState<T>& state);

}  // namespace rebasin::assignment
