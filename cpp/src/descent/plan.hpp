// In which order a first pass matches the permutations, each on what is settled before it.
#pragma once

#include <cstdint>
#include <vector>

#include "descent/evidence.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// The order of highest expected objective. A permutation of n units whose similarities have variance v adds
// about n sqrt(2 ln n v) when it is matched, as the best assignment of a random matrix does; v counts what is
// settled by then. A greedy order, improved by moving single permutations while that helps.
std::vector<std::int32_t> plan_by_gain(const Problem& problem, const std::vector<Evidence>& evidence);

// Whatever has the largest share of its evidence settled comes next: slower to gather the objective of
// unrelated models, harder to lead astray when one is a noisy copy of the other.
std::vector<std::int32_t> plan_by_share(const Problem& problem, const std::vector<Evidence>& evidence);

// What an order is expected to gain.
double expected_gain(const Problem& problem, const std::vector<Evidence>& evidence,
                     const std::vector<std::int32_t>& order);

}  // namespace rebasin
