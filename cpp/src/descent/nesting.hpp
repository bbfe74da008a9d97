// Which permutations stand within which: a forest, read from the shapes of a problem.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "rebasin/problem.hpp"

namespace rebasin {

class Nesting {
 public:
  explicit Nesting(const Problem& problem)
      : children_(problem.permutations.size()), families_(problem.permutations.size()) {
    for (std::size_t p = 0; p < problem.permutations.size(); ++p) {
      const std::vector<std::int32_t>& parents = problem.permutations[p].parents;
      const auto self = static_cast<std::int32_t>(p);
      families_[p].push_back(self);
      for (const std::int32_t ancestor : parents)
        families_[static_cast<std::size_t>(ancestor)].push_back(self);
      if (!parents.empty()) children_[static_cast<std::size_t>(parents.back())].push_back(self);
    }
  }

  // Permutations that stand directly within `permutation`.
  const std::vector<std::int32_t>& children(std::int32_t permutation) const {
    return children_[static_cast<std::size_t>(permutation)];
  }

  // `permutation` and all that stand within it, at any depth.
  const std::vector<std::int32_t>& family(std::int32_t permutation) const {
    return families_[static_cast<std::size_t>(permutation)];
  }

  bool in_family(std::int32_t root, std::int32_t permutation) const {
    const std::vector<std::int32_t>& members = family(root);
    return std::find(members.begin(), members.end(), permutation) != members.end();
  }

 private:
  std::vector<std::vector<std::int32_t>> children_;
  std::vector<std::vector<std::int32_t>> families_;
};

}  // namespace rebasin
