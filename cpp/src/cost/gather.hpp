// Where entries lie: the units of one permutation in A and in B, and each position of B under the
// permutations.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/problem.hpp"

namespace rebasin {

using OffsetTables = std::vector<std::vector<std::int64_t>>;  // by axis

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
  const OffsetTables& b_tables(std::size_t tensor) const { return b_offsets_[tensor]; }

  const OffsetTables& a_tables(std::size_t tensor) const { return a_offsets_[tensor]; }

  // Points every axis of `tensors` at `permutations`. O(length of those axes).
  void update(const std::vector<std::size_t>& tensors, const std::vector<Permutation>& permutations);

 private:
  void place(std::size_t tensor, const Move& move, const std::vector<Permutation>& permutations);

  const Problem& problem_;
  std::vector<OffsetTables> a_offsets_;
  std::vector<OffsetTables> b_offsets_;
};

// Where the units of one permutation lie in one tensor, in A and in B.

// Unit i owns the positions [i * copies + r] along `axis`, r < copies; entry by entry A's are compared with
// B's.
struct Occurrence {
  std::size_t tensor = 0;
  std::int32_t axis = 0;
  std::int64_t copies = 1;
  std::vector<std::int64_t> a_positions;
  std::vector<std::int64_t> b_positions;
};

}  // namespace rebasin
