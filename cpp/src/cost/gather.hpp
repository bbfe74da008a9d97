// Where each position of B's tensors is to be read from, under the permutations as they stand.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/problem.hpp"

namespace rebasin {

// Per tensor and axis, the element offset of every position: index times stride, B's index permuted.
class Gather {
 public:
  Gather(const Problem& problem, const std::vector<Permutation>& permutations);

  const std::vector<std::int64_t>& a_offsets(std::size_t tensor, std::size_t axis) const {
    return a_offsets_[tensor][axis];
  }
  const std::vector<std::int64_t>& b_offsets(std::size_t tensor, std::size_t axis) const {
    return b_offsets_[tensor][axis];
  }

  // Points every axis that `permutation` moves at `units`. O(length of those axes).
  void set(std::int32_t permutation, const Permutation& units);

 private:
  const Problem& problem_;
  std::vector<std::vector<std::vector<std::int64_t>>> a_offsets_;
  std::vector<std::vector<std::vector<std::int64_t>>> b_offsets_;
};

}  // namespace rebasin
