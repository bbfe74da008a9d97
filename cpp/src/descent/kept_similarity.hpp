// Similarities that are kept between visits, and brought up to date by what has moved since.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/gather.hpp"
#include "cost/occurrence.hpp"
#include "cost/similarity.hpp"
#include "rebasin/assignment.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// One permutation's similarity as of its last visit, and the duals of its last assignment.
//
// A change adds the product over the columns that moved. Float32 rounding gathers slowly (a few 1e-6 of the
// largest entry after a hundred changes), and steps are accepted by the float64 objective alone; the matrix
// is formed anew now and then all the same.
template <class T>
class KeptSimilarity {
 public:
  // Brings the matrix up to date; `occurrences` are the same at every call.
  Status refresh(std::int64_t units, const std::vector<Occurrence>& occurrences, const Gather& gather,
                 Similarity<T>& similarity, Interrupt& interrupt) {
    Status status = Status::ok;
    if (matrix_.empty() || changes_ >= changes_before_rebuild) {
      matrix_.resize(static_cast<std::size_t>(units * units));
      status = similarity.compute(units, occurrences, gather, matrix_.data(), interrupt);
      changes_ = 0;
    } else {
      status = similarity.add_changes(units, occurrences, gather, before_, matrix_.data(), interrupt);
      ++changes_;
    }
    if (status == Status::ok) remember(occurrences, gather);
    return status;
  }

  const T* matrix() const { return matrix_.data(); }

  // The last assignment's duals, to start the next from; null before the first.
  const WarmStart* duals() {
    if (solution_.row_duals.empty()) return nullptr;
    start_ = {solution_.row_duals.data(), solution_.column_duals.data()};
    return &start_;
  }

  void keep(const AssignmentSolution& solution) { solution_ = solution; }

 private:
  static constexpr int changes_before_rebuild = 100;

  void remember(const std::vector<Occurrence>& occurrences, const Gather& gather) {
    before_.resize(occurrences.size());
    for (std::size_t i = 0; i < occurrences.size(); ++i) {
      before_[i] = gather.b_tables(occurrences[i].tensor);
    }
  }

  std::vector<T> matrix_;
  std::vector<OffsetTables> before_;
  AssignmentSolution solution_;
  WarmStart start_{};
  int changes_ = 0;
};

}  // namespace rebasin
