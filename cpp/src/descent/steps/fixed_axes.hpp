// Which permutations a first pass has already matched.
#pragma once

#include <cstdint>
#include <vector>

#include "descent/steps/nesting.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

class FixedAxes {
 public:
  explicit FixedAxes(const Problem& problem)
      : problem_(problem), fixed_(problem.permutations.size(), false) {}

  void add(const Nesting& nesting, std::int32_t root) {
    for (const std::int32_t member : nesting.family(root)) fixed_[member] = true;
  }

  // Whether all permutations that move the tensor's other axes are fixed.
  bool around(std::size_t tensor, std::int32_t axis) const {
    for (const Move& move : problem_.tensors[tensor].moves) {
      if (move.axis == axis) continue;
      for (const std::int32_t permutation : move.permutations) {
        if (!fixed_[permutation]) return false;
      }
    }
    return true;
  }

  // The same, and also the permutations of the move itself that are outside the family of `root`.
  bool around(std::size_t tensor, const Move& move, const Nesting& nesting, std::int32_t root) const {
    for (const std::int32_t permutation : move.permutations) {
      if (!fixed_[permutation] && !nesting.in_family(root, permutation)) return false;
    }
    return around(tensor, move.axis);
  }

 private:
  const Problem& problem_;
  std::vector<bool> fixed_;
};

}  // namespace rebasin
