// How strongly the entries of two models speak for a permutation, before anything is matched.
#pragma once

#include <cstdint>
#include <vector>

#include "descent/backend.hpp"
#include "descent/steps/nesting.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// One place where a permutation stands: what it adds to the variance of the permutation's similarities, and
// whose positions must be known for it to be of use. A family is spoken of by its outermost permutation.
struct SimilarityVariance {
  std::int32_t family = 0;
  std::int32_t member = 0;  // the innermost of the family at this place, for which it counts
  double variance = 0.0;
  std::vector<std::int32_t> needs;  // other families
  bool needs_itself = false;        // the family stands on another axis of the tensor as well
};

// Columns x units: the variance of a similarity's entries is the number of columns times the mean squares of
// A's and B's entries, each centred over the units (what all units share decides nothing). Mean squares are
// taken on a few evenly spaced columns, whose entries the backend reads.
Status similarity_variances(const Problem& problem, const Nesting& nesting, Backend& backend,
                            std::vector<SimilarityVariance>& found);

// The outermost permutation of the family in which `permutation` stands.
std::int32_t family_of(const Problem& problem, std::int32_t permutation);

}  // namespace rebasin
