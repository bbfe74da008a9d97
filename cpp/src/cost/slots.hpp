// Slots and the units that fill them, for permutations that may stand within others.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/problem.hpp"

namespace rebasin {

// The place in a permutation's array at which the copy within the parents' slots begins; `slots` is indexed
// by permutation.
inline std::int64_t copy_offset(const Problem& problem, std::int32_t permutation,
                                const std::vector<std::int64_t>& slots) {
  const PermutationShape& shape = problem.permutations[static_cast<std::size_t>(permutation)];
  std::int64_t copy = 0;
  for (const std::int32_t parent : shape.parents) {
    const auto q = static_cast<std::size_t>(parent);
    copy = copy * problem.permutations[q].size + slots[q];
  }
  return copy * shape.size;
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
