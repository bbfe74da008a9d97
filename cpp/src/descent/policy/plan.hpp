// The order in which a first pass matches the permutations, each on the axes fixed before it.
#pragma once

#include <cstdint>
#include <vector>

#include "descent/policy/similarity_variance.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// The order of highest expected objective. A permutation of n units whose similarities have variance v adds
// about n sqrt(2 ln n v) when it is matched, as the best assignment of a random matrix does; v counts the
// axes fixed by then. A greedy order, improved by moving single permutations while that helps.
std::vector<std::int32_t> plan_by_gain(const Problem& problem,
                                       const std::vector<SimilarityVariance>& variances);

// The family with the largest share of its variance on fixed axes comes next: a lower objective for unrelated
// models, fewer wrong matches where one model is a noisy copy of the other.
std::vector<std::int32_t> plan_by_share(const Problem& problem,
                                        const std::vector<SimilarityVariance>& variances);

// The expected gain of an order.
double expected_gain(const Problem& problem, const std::vector<SimilarityVariance>& variances,
                     const std::vector<std::int32_t>& order);

}  // namespace rebasin
