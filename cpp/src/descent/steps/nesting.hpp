// Which permutations stand within which: a forest, read from the shapes of a problem.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "rebasin/problem.hpp"

namespace rebasin {

class Nesting {
 public:
  explicit Nesting(const Problem& problem)
      : families_(problem.permutations.size()), children_(problem.permutations.size()) {
    for (std::size_t p = 0; p < problem.permutations.size(); ++p) {
      const auto self = static_cast<std::int32_t>(p);
      families_[p].push_back(self);
      for (const std::int32_t ancestor : problem.permutations[p].parents) families_[ancestor].push_back(self);
    }
    for (std::size_t root = 0; root < families_.size(); ++root) {
      for (const std::int32_t member : families_[root]) add_child(problem, root, member);
    }
  }

  // Permutations that are solved for each slot and unit of `member` when the family of `root` steps: those
  // whose innermost parent in that family it is.
  const std::vector<std::int32_t>& children(std::int32_t root, std::int32_t member) const {
    static const std::vector<std::int32_t> none;
    const auto& of_root = children_[root];
    const auto found = of_root.find(member);
    return found == of_root.end() ? none : found->second;
  }

  // Parents of a member of `root`'s family that neither step with it nor stand around all of it.
  std::vector<std::int32_t> parents_outside(const Problem& problem, std::int32_t root,
                                            std::int32_t member) const {
    const std::vector<std::int32_t>& around = problem.permutations[root].parents;
    std::vector<std::int32_t> outside;
    for (const std::int32_t parent : problem.permutations[member].parents) {
      if (!in_family(root, parent) && std::find(around.begin(), around.end(), parent) == around.end()) {
        outside.push_back(parent);
      }
    }
    return outside;
  }

  // Whether permutations stand within `root`, and every axis that moves with its family nests the members
  // alike; with `outer_alone` also where an axis moves with outer members alone.
  bool nests_alike(const Problem& problem, std::int32_t root, bool outer_alone) const {
    if (is_leaf(root)) return false;
    for (const Tensor& tensor : problem.tensors) {
      for (const Move& move : tensor.moves) {
        if (std::none_of(move.permutations.begin(), move.permutations.end(),
                         [&](std::int32_t member) { return in_family(root, member); }))
          continue;
        const std::int32_t last = move.permutations.back();
        std::vector<std::int32_t> path = problem.permutations[last].parents;
        path.push_back(last);
        if (path != move.permutations || !(is_leaf(last) || outer_alone)) return false;
      }
    }
    return true;
  }

  // Whether nothing stands within `permutation`.
  bool is_leaf(std::int32_t permutation) const { return family(permutation).size() == 1; }

  // `permutation` and all that stand within it, at any depth.
  const std::vector<std::int32_t>& family(std::int32_t permutation) const { return families_[permutation]; }

  bool in_family(std::int32_t root, std::int32_t permutation) const {
    const std::vector<std::int32_t>& members = family(root);
    return std::find(members.begin(), members.end(), permutation) != members.end();
  }

 private:
  void add_child(const Problem& problem, std::size_t root, std::int32_t member) {
    const std::vector<std::int32_t>& parents = problem.permutations[member].parents;
    const auto innermost = std::find_if(parents.rbegin(), parents.rend(), [&](std::int32_t parent) {
      return in_family(static_cast<std::int32_t>(root), parent);
    });
    if (innermost != parents.rend()) children_[root][*innermost].push_back(member);
  }

  std::vector<std::vector<std::int32_t>> families_;
  std::vector<std::map<std::int32_t, std::vector<std::int32_t>>> children_;  // by root, by member
};

}  // namespace rebasin
