#include "cost/gather.hpp"

namespace rebasin {
namespace {

std::vector<std::vector<std::int64_t>> unpermuted_offsets(const std::vector<std::int64_t>& shape,
                                                          const std::vector<std::int64_t>& strides) {
  std::vector<std::vector<std::int64_t>> offsets(shape.size());
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    offsets[axis].resize(static_cast<std::size_t>(shape[axis]));
    for (std::int64_t i = 0; i < shape[axis]; ++i) {
      offsets[axis][static_cast<std::size_t>(i)] = i * strides[axis];
    }
  }
  return offsets;
}

}  // namespace

Gather::Gather(const Problem& problem, const std::vector<Permutation>& permutations) : problem_(problem) {
  for (const Tensor& tensor : problem.tensors) {
    a_offsets_.push_back(unpermuted_offsets(tensor.shape, tensor.a_strides));
    b_offsets_.push_back(unpermuted_offsets(tensor.shape, tensor.b_strides));
  }
  for (std::size_t p = 0; p < permutations.size(); ++p) {
    set(static_cast<std::int32_t>(p), permutations[p]);
  }
}

void Gather::set(std::int32_t permutation, const Permutation& units) {
  for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
    const Tensor& tensor = problem_.tensors[t];
    for (const Move& move : tensor.moves) {
      if (move.permutation != permutation) continue;
      const auto axis = static_cast<std::size_t>(move.axis);
      const std::int64_t stride = tensor.b_strides[axis];
      for (std::size_t i = 0; i < units.size(); ++i) {
        const std::int64_t* slots = move.positions.data() + static_cast<std::int64_t>(i) * move.copies;
        const std::int64_t* sources = move.positions.data() + units[i] * move.copies;
        for (std::int64_t r = 0; r < move.copies; ++r) {
          b_offsets_[t][axis][static_cast<std::size_t>(slots[r])] = sources[r] * stride;
        }
      }
    }
  }
}

}  // namespace rebasin
