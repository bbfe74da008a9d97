// Similarities that are kept between visits, and brought up to date by what has moved since.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "cost/gather.hpp"
#include "cost/occurrence.hpp"
#include "cost/similarity.hpp"
#include "rebasin/assignment.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// One permutation's similarity as of its last visit, and the duals of its last assignment. Where there is no
// room for the matrix it is formed anew at every visit; what it would have to update is known all the
// same, so that memory does not decide the order of visits.
//
// An occurrence may be left out until it is wanted, and then counts in full; a change of one that is in adds
// the product over the columns that moved. Float32 rounding gathers slowly (a few 1e-6 of the largest entry
// after a hundred changes), and steps are accepted by the float64 objective alone; the matrix is formed anew
// now and then all the same.
template <class T>
class KeptSimilarity {
 public:
  KeptSimilarity(std::int64_t units, std::vector<Occurrence> occurrences, bool keeps_matrix)
      : units_(units),
        occurrences_(std::move(occurrences)),
        keeps_matrix_(keeps_matrix),
        before_(occurrences_.size()) {}

  const std::vector<Occurrence>& occurrences() const { return occurrences_; }

  // Brings the matrix up to date with every occurrence for which wanted(occurrence) holds; others stay as
  // they were.
  template <class Wanted>
  Status refresh(const Gather& gather, Similarity<T>& similarity, Interrupt& interrupt, Wanted&& wanted) {
    const bool anew = matrix_.empty() || changes_ >= changes_before_rebuild;
    if (anew) {
      matrix_.resize(static_cast<std::size_t>(units_ * units_));
      before_.assign(occurrences_.size(), {});
    }
    changes_ = anew ? 0 : changes_ + 1;
    similarity.begin(units_, matrix_.data(), anew);
    for (std::size_t i = 0; i < occurrences_.size(); ++i) {
      if (!wanted(occurrences_[i])) continue;
      const Status status = before_[i].empty()
                                ? similarity.add(occurrences_[i], gather, interrupt)
                                : similarity.add_changes(occurrences_[i], gather, before_[i], interrupt);
      if (status != Status::ok) return status;
      before_[i] = gather.b_tables(occurrences_[i].tensor);
    }
    return similarity.finish(interrupt);
  }

  // Remembers what refresh() would have seen, without the matrix, which the next refresh() forms anew.
  template <class Wanted>
  void recall(const Gather& gather, Wanted&& wanted) {
    for (std::size_t i = 0; i < occurrences_.size(); ++i) {
      if (wanted(occurrences_[i])) before_[i] = gather.b_tables(occurrences_[i].tensor);
    }
  }

  // Floating-point operations that refresh() would spend on a kept matrix with every occurrence wanted.
  double pending_flop(const Gather& gather) const {
    double columns = 0.0;
    for (std::size_t i = 0; i < occurrences_.size(); ++i) columns += pending_columns(i, gather);
    return 2.0 * static_cast<double>(units_ * units_) * columns;
  }

  T* matrix() { return matrix_.data(); }

  // The last assignment's duals, to start the next from; null before the first.
  const WarmStart* duals() {
    if (solution_.row_duals.empty()) return nullptr;
    start_ = {solution_.row_duals.data(), solution_.column_duals.data()};
    return &start_;
  }

  // The visit is over: remembers its duals, and lets go of a matrix that there is no room for.
  void keep(const AssignmentSolution& solution) {
    solution_ = solution;
    if (!keeps_matrix_) matrix_ = std::vector<T>();  // = {} would keep the memory
  }

 private:
  static constexpr int changes_before_rebuild = 100;

  double pending_columns(std::size_t i, const Gather& gather) const {
    const Occurrence& occurrence = occurrences_[i];
    const OffsetTables& now = gather.b_tables(occurrence.tensor);
    double columns = static_cast<double>(occurrence.copies), share = 1.0;
    int axes_changed = before_[i].empty() ? 2 : 0;
    for (std::size_t axis = 0; axis < now.size(); ++axis) {
      if (static_cast<std::int32_t>(axis) == occurrence.axis) continue;
      columns *= static_cast<double>(now[axis].size());
      if (before_[i].empty() || now[axis] == before_[i][axis]) continue;
      ++axes_changed;
      share = share_that_differs(now[axis], before_[i][axis]);
    }
    return axes_changed == 0 ? 0.0 : axes_changed == 1 ? columns * share : columns;
  }

  static double share_that_differs(const std::vector<std::int64_t>& one,
                                   const std::vector<std::int64_t>& other) {
    std::size_t count = 0;
    for (std::size_t x = 0; x < one.size(); ++x) count += one[x] != other[x];
    return static_cast<double>(count) / static_cast<double>(one.size());
  }

  std::int64_t units_;
  std::vector<Occurrence> occurrences_;
  bool keeps_matrix_;
  std::vector<T> matrix_;             // empty before the first visit
  std::vector<OffsetTables> before_;  // by occurrence; empty while it is left out
  AssignmentSolution solution_;
  WarmStart start_{};
  int changes_ = 0;
};

}  // namespace rebasin
