// A matching problem as the core sees it: a permutation spec compiled against two sets of parameters.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/dtype.hpp"

namespace rebasin {

// A permutation's hold on one axis of a tensor: unit i owns positions[i * copies + r] for r < copies.
// Positions of the axis that no move names stay where they are.
struct Move {
  std::int32_t permutation = 0;
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
  std::vector<std::int64_t> sizes;  // units of each permutation
  std::vector<Tensor> tensors;
};

using Permutation = std::vector<std::int64_t>;  // slot i of A is filled by unit [i] of B

}  // namespace rebasin
