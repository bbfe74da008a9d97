// The backend of parameters in host memory: products by BLAS, assignments by the core's solver.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/similarity.hpp"
#include "descent/backend.hpp"
#include "rebasin/assignment.hpp"
#include "rebasin/blas.hpp"
#include "rebasin/interrupt.hpp"

namespace rebasin {

// Assigns a square matrix, maximising. invalid_entry: an entry is not finite; an overflow to -inf would pass
// for a forbidden pair.
template <class T>
Status assign_finite(const T* matrix, std::int64_t n, const WarmStart* start, AssignmentSolution& solution,
                     Interrupt& interrupt);

std::vector<double> read_entries(const Tensor& tensor, Model model, const std::vector<std::int64_t>& offsets);

template <class T>
class HostBackend final : public Backend<T> {
 public:
  HostBackend(const Problem& problem, Gemm<T> gemm, Interrupt& interrupt);

  Status objective(const Gather& gather, double& value) override;
  Status gain(const std::vector<std::size_t>& tensors, const std::vector<OffsetTables>& before,
              const Gather& gather, double& value) override;
  Status spread(double& value) override;
  Status entries(std::size_t tensor, Model model, const std::vector<std::int64_t>& offsets,
                 std::vector<double>& values) override;
  Status refresh(std::int32_t permutation, std::int64_t units, const std::vector<Change>& changes, bool anew,
                 const Gather& gather) override;
  Status assign(const std::vector<std::int32_t>& permutations, const std::vector<Match>& forbidden,
                std::vector<Permutation>& found) override;
  Status rows(std::int32_t permutation, const std::vector<std::int64_t>& rows,
              std::vector<T>& values) override;
  void release(std::int32_t permutation) override;
  Status similarity(std::int64_t units, const std::vector<Occurrence>& occurrences, const Gather& gather,
                    std::vector<T>& matrix) override;
  Status form_blocks(std::int64_t copies, std::int64_t units, const std::vector<Occurrence>& occurrences,
                     const Gather& gather) override;
  Status assign_blocks(const std::vector<Match>& blocks, BlockAssignments& found) override;
  const ProductCounters& counters() const override { return similarity_.counters(); }

 private:
  struct Held {
    std::vector<T> matrix;
    AssignmentSolution solution;  // empty before the first
  };

  std::int64_t units_of(std::int32_t permutation) const {
    return problem_.permutations[static_cast<std::size_t>(permutation)].size;
  }

  const Problem& problem_;
  Interrupt& interrupt_;
  Similarity<T> similarity_;
  std::vector<Held> held_;  // by permutation
  std::vector<T> blocks_;
  std::int64_t block_copies_ = 0, block_units_ = 0;
};

extern template class HostBackend<float>;
extern template class HostBackend<double>;

}  // namespace rebasin
