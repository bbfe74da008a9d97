// The solver for problems whose rows fit into registers.
#pragma once

#include "assignment/attempt.hpp"
#include "assignment/costs/cost_rows.hpp"
#include "assignment/matching_state.hpp"
#include "assignment/proof/certificate.hpp"

namespace rebasin::assignment {

inline constexpr std::int64_t block_columns = 64;

// Solves and certifies up to block_columns columns on a local copy: an epsilon auction in T, then row
// reduction and shortest paths in double, all within one call of a vector kernel. invalid where sums of the
// costs could overflow, too.
template <class T>
Attempt solve_block(const CostRows<T>& costs, MatchingState& state, Certificate& proof);

}  // namespace rebasin::assignment
