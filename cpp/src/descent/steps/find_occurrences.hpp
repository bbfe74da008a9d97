// The positions of a permutation's units in all tensors, for the part of them that one step compares.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/gather.hpp"
#include "descent/steps/fixed_axes.hpp"
#include "descent/steps/nesting.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// By permutation, along the path of outer permutations: A's slot, B's unit, and the slot that holds B's unit
// now.
struct Path {
  explicit Path(std::size_t permutations)
      : slot(permutations, 0), unit(permutations, 0), holder(permutations, 0) {}

  std::vector<std::int64_t> slot, unit, holder;
};

// Of a permutation that stands alone.
std::vector<Occurrence> occurrences_alone(const Problem& problem, std::int32_t permutation);

// Of all slots and units of a leaf of `root`'s family at once; where `fixed` is given, only in tensors that
// it holds but for that family.
std::vector<Occurrence> occurrences_of_leaf(const Problem& problem, const Nesting& nesting, std::int32_t root,
                                            const FixedAxes* fixed, std::int32_t leaf);

// Of a member of `root`'s family within the slot and unit of `path`, which is scratch beyond that; other
// families stay where `current` has them.
std::vector<Occurrence> occurrences_within(const Problem& problem, const Nesting& nesting, std::int32_t root,
                                           const FixedAxes* fixed, const std::vector<Permutation>& current,
                                           Path& path, std::int32_t permutation);

}  // namespace rebasin
