// The solver for problems so small that setting up any other costs more: shortest augmenting paths on a local
// copy.
#pragma once

#include "assignment/certificate.hpp"
#include "assignment/cost_rows.hpp"
#include "assignment/matching_state.hpp"

namespace rebasin::assignment {

inline constexpr std::int64_t small_rows = 72;
inline constexpr std::int64_t small_columns = 128;

// Solves and certifies up to small_rows by small_columns (Crouse 2016, from column and row minima). Sets
// `beyond` and leaves the rest alone where sums of the costs could overflow.
template <class T>
Status solve_small(const CostRows<T>& costs, MatchingState& state, Certificate& proof, bool& beyond);

}  // namespace rebasin::assignment
