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

// Adds the tables `within` to a square matrix and assigns it: Backend::assign_formed in host memory.
template <class T>
Status assign_with(const std::vector<std::vector<double>>& within, std::vector<T>& matrix, Permutation& found,
                   double& objective, Interrupt& interrupt);

template <class T>
class HostBackend final : public Backend {
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
              std::vector<double>& values) override;
  void release(std::int32_t permutation) override;
  Status form(std::int64_t units, const std::vector<Occurrence>& occurrences, const Gather& gather) override;
  Status assign_formed(const std::vector<std::vector<double>>& within, Permutation& found,
                       double& objective) override;
  Status form_blocks(std::int64_t copies, std::int64_t units, const std::vector<Occurrence>& occurrences,
                     const Gather& gather) override;
  Status assign_blocks(const std::vector<Match>& blocks, BlockAssignments& found) override;
  double entry_bytes() const override { return sizeof(T); }
  const ProductCounters& counters() const override { return similarity_.counters(); }

 private:
  struct Held {
    std::vector<T> matrix;
    AssignmentSolution solution;  // empty before the first
  };

  std::int64_t units_of(std::int32_t permutation) const { return problem_.permutations[permutation].size; }

  const Problem& problem_;
  Interrupt& interrupt_;
  Similarity<T> similarity_;
  std::vector<Held> held_;  // by permutation
  std::vector<T> formed_;
  std::int64_t block_copies_ = 0, block_units_ = 0;
};

}  // namespace rebasin
