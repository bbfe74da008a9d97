// Slots and the units that fill them, for permutations that may stand within others.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/problem.hpp"

namespace rebasin {

// How many copies a permutation has: one for each combination of its parents' units.
inline std::int64_t copies_of(const Problem& problem, std::int32_t permutation) {
  std::int64_t copies = 1;
  for (const std::int32_t parent : problem.permutations[permutation].parents)
    copies *= problem.permutations[parent].size;
  return copies;
}

// The number of the copy within the parents' slots, and where in the permutation's array it begins; `slots`
// is indexed by permutation.
inline std::int64_t copy_within(const Problem& problem, std::int32_t permutation,
                                const std::vector<std::int64_t>& slots) {
  std::int64_t copy = 0;
  for (const std::int32_t parent : problem.permutations[permutation].parents)
    copy = copy * problem.permutations[parent].size + slots[parent];
  return copy;
}
inline std::int64_t copy_offset(const Problem& problem, std::int32_t permutation,
                                const std::vector<std::int64_t>& slots) {
  return copy_within(problem, permutation, slots) * problem.permutations[permutation].size;
}

// Calls body() for every combination of units of `permutations`, the last fastest, with values[p] set to p's
// unit.
template <class Body>
void for_each_combination(const Problem& problem, const std::vector<std::int32_t>& permutations,
                          std::vector<std::int64_t>& values, Body&& body, std::size_t depth = 0) {
  if (depth == permutations.size()) {
    body();
    return;
  }
  const auto p = static_cast<std::size_t>(permutations[depth]);
  for (values[p] = 0; values[p] < problem.permutations[p].size; ++values[p]) {
    for_each_combination(problem, permutations, values, body, depth + 1);
  }
}

}  // namespace rebasin
