// The variance of a permutation's similarities, estimated before anything is matched.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "descent/backend.hpp"
#include "descent/steps/nesting.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// One place where a permutation stands: its share of the variance of the permutation's similarities, and the
// families that must be fixed for it to count. A family is named by its outermost permutation.
struct SimilarityVariance {
  std::int32_t family = 0;
  std::int32_t member = 0;  // the innermost of the family at this place, for which it counts
  double variance = 0.0;
  std::vector<std::int32_t> needs;  // other families
  bool needs_itself = false;        // the family stands on another axis of the tensor as well
};

// Columns x units: the variance of a similarity's entries is the number of columns times the mean squares of
// A's and B's entries, each centred over the units (a part common to all units has no effect). Mean squares
// are taken on a few evenly spaced columns, whose entries `read` gives (Backend::entries).
using EntryReader = std::function<Status(
    std::size_t tensor, Model model, const std::vector<std::int64_t>& offsets, std::vector<double>& values)>;
Status similarity_variances(const Problem& problem, const Nesting& nesting, const EntryReader& read,
                            std::vector<SimilarityVariance>& found);

// The outermost permutation of the family in which `permutation` stands.
std::int32_t family_of(const Problem& problem, std::int32_t permutation);

}  // namespace rebasin
