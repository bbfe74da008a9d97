// Similarities kept between visits: which of their occurrences are out of date.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "cost/gather.hpp"
#include "descent/backend.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// One permutation's similarity as of its last visit; the matrix itself is the backend's. Where there is no
// room for it, it is formed anew at every visit; the pending change is counted as well, so that the order of
// visits does not depend on memory.
//
// An occurrence counts in full at its first refresh; a later change of it adds the product over the columns
// that moved. Float32 rounding accumulates slowly (a few 1e-6 of the largest entry after a hundred changes),
// and steps are accepted by the float64 objective alone; the matrix is formed anew now and then all the same.
class KeptSimilarity {
 public:
  KeptSimilarity(std::int64_t units, std::vector<Occurrence> occurrences, bool keeps_matrix)
      : units_(units),
        occurrences_(std::move(occurrences)),
        keeps_matrix_(keeps_matrix),
        before_(occurrences_.size()) {}

  // Brings the permutation's matrix up to date with every occurrence for which wanted(occurrence) holds;
  // others stay as they were.
  template <class Wanted>
  Status refresh(std::int32_t permutation, Backend& backend, const Gather& gather, Wanted&& wanted) {
    const bool anew = !formed_ || changes_ >= changes_before_rebuild;
    if (anew) before_.assign(occurrences_.size(), {});
    changes_ = anew ? 0 : changes_ + 1;
    std::vector<Change> changes;
    for (std::size_t i = 0; i < occurrences_.size(); ++i) {
      if (wanted(occurrences_[i]))
        changes.push_back({&occurrences_[i], before_[i].empty() ? nullptr : &before_[i]});
    }
    const Status status = backend.refresh(permutation, units_, changes, anew, gather);
    formed_ = true;
    recall(gather, wanted);
    return status;
  }

  // Records what refresh() would have counted. A matrix that was never formed still is, by the next one.
  template <class Wanted>
  void recall(const Gather& gather, Wanted&& wanted) {
    for (std::size_t i = 0; i < occurrences_.size(); ++i) {
      if (wanted(occurrences_[i])) before_[i] = gather.b_tables(occurrences_[i].tensor);
    }
  }

  // Frees a matrix that there is no room for.
  void end_visit(std::int32_t permutation, Backend& backend) {
    if (keeps_matrix_) return;
    backend.release(permutation);
    formed_ = false;
  }

  // Floating-point operations that refresh() would spend on a kept matrix with every occurrence wanted.
  double pending_flop(const Gather& gather) const {
    double columns = 0.0;
    for (std::size_t i = 0; i < occurrences_.size(); ++i) columns += pending_columns(i, gather);
    return 2.0 * static_cast<double>(units_ * units_) * columns;
  }

  bool keeps_matrix() const { return keeps_matrix_; }

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
  std::vector<OffsetTables> before_;  // by occurrence; empty while it is left out
  bool formed_ = false;
  int changes_ = 0;
};

}  // namespace rebasin
