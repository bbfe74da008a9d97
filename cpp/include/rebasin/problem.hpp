// A matching problem: a permutation spec compiled against two sets of parameters.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/dtype.hpp"

namespace rebasin {

// The number of units of a permutation, and the permutations that it stands within, outermost first: it has a
// copy for each combination of their units.
struct PermutationShape {
  std::int64_t size = 0;
  std::vector<std::int32_t> parents;
};

// A family of positions on one axis of a tensor that permutations move: positions[(i, j, ...) * copies + r],
// row-major, for unit i of permutations[0], j of permutations[1], and so on, r < copies. All parents of a
// permutation stand before it. Positions of the axis that no move names stay where they are.
struct Move {
  std::vector<std::int32_t> permutations;
  std::int32_t axis = 0;
  std::int64_t copies = 1;
  std::vector<std::int64_t> positions;
};

// One parameter of A and its counterpart in B: same shape and dtype, strides in elements, nothing owned.
struct Tensor {
  const void* a = nullptr;
  const void* b = nullptr;
  DType dtype = DType::float32;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> a_strides;
  std::vector<std::int64_t> b_strides;
  std::vector<Move> moves;
};

// The pointers of the tensors must outlive every call that is given the problem.
struct Problem {
  std::vector<PermutationShape> permutations;
  std::vector<Tensor> tensors;
};

// Slot i of A is filled by unit [i] of B; within parents of k, l, ... units, [(slot_k * l + slot_l) * size +
// i].
using Permutation = std::vector<std::int64_t>;

}  // namespace rebasin
