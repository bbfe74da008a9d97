#include "cost/gather.hpp"

#include "cost/slots.hpp"

namespace rebasin {
namespace {

std::vector<std::vector<std::int64_t>> unpermuted_offsets(const std::vector<std::int64_t>& shape,
                                                          const std::vector<std::int64_t>& strides) {
  std::vector<std::vector<std::int64_t>> offsets(shape.size());
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    offsets[axis].resize(shape[axis]);
    for (std::int64_t i = 0; i < shape[axis]; ++i) {
      offsets[axis][i] = i * strides[axis];
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
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    for (const Move& move : problem.tensors[t].moves) place(t, move, permutations);
  }
}

void Gather::update(const std::vector<std::size_t>& tensors, const std::vector<Permutation>& permutations) {
  for (const std::size_t t : tensors) {
    for (const Move& move : problem_.tensors[t].moves) place(t, move, permutations);
  }
}

void Gather::place(std::size_t t, const Move& move, const std::vector<Permutation>& permutations) {
  const auto axis = static_cast<std::size_t>(move.axis);
  const std::int64_t stride = problem_.tensors[t].b_strides[axis];
  std::vector<std::int64_t>& offsets = b_offsets_[t][axis];
  std::vector<std::int64_t> slots(problem_.permutations.size(), 0);
  const std::int64_t* slot_positions = move.positions.data();
  for_each_combination(problem_, move.permutations, slots, [&] {
    std::int64_t source = 0;
    for (const std::int32_t permutation : move.permutations) {
      const auto entry =
          static_cast<std::size_t>(copy_offset(problem_, permutation, slots) + slots[permutation]);
      source = source * problem_.permutations[permutation].size + permutations[permutation][entry];
    }
    const std::int64_t* source_positions = move.positions.data() + source * move.copies;
    for (std::int64_t r = 0; r < move.copies; ++r) {
      offsets[slot_positions[r]] = source_positions[r] * stride;
    }
    slot_positions += move.copies;
  });
}

}  // namespace rebasin
