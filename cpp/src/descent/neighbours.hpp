// Which permutations see each other: those that move axes of one tensor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "rebasin/problem.hpp"

namespace rebasin {

class Neighbours {
 public:
  explicit Neighbours(const Problem& problem)
      : neighbours_(problem.sizes.size()), tensors_(problem.sizes.size()) {
    for (std::size_t t = 0; t < problem.tensors.size(); ++t) add_tensor(t, problem.tensors[t].moves);
    for (auto& list : neighbours_) make_unique(list);
    for (auto& list : tensors_) make_unique(list);
  }

  // Permutations whose similarity changes when `permutation` moves; itself only if it stands on two axes of a
  // tensor. Pieces of one axis do not see each other.
  const std::vector<std::int32_t>& of(std::int32_t permutation) const {
    return neighbours_[static_cast<std::size_t>(permutation)];
  }

  const std::vector<std::size_t>& tensors_of(std::int32_t permutation) const {
    return tensors_[static_cast<std::size_t>(permutation)];
  }

 private:
  void add_tensor(std::size_t t, const std::vector<Move>& moves) {
    for (const Move& move : moves) {
      tensors_[static_cast<std::size_t>(move.permutation)].push_back(t);
      for (const Move& other : moves) {
        if (other.axis == move.axis) continue;
        neighbours_[static_cast<std::size_t>(move.permutation)].push_back(other.permutation);
      }
    }
  }

  template <class Value>
  static void make_unique(std::vector<Value>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }

  std::vector<std::vector<std::int32_t>> neighbours_;
  std::vector<std::vector<std::size_t>> tensors_;
};

}  // namespace rebasin
