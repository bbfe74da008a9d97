#include "assignment/exact/near_tight.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "assignment/proof/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

constexpr double largest_double = std::numeric_limits<double>::max();
constexpr std::int64_t block = 64;

// At or above x in real arithmetic after a few more roundings of relative size 2^-53.
double raised(double x) {
  return std::min(x + std::abs(x) * 0x1p-50 + 0x1p-1070, largest_double);
}

// Reduced costs of a row relative to its matched entry: c_ij - c_i,matched - v_j.
class RowScan {
 public:
  RowScan(const ExactCosts& costs, const std::vector<double>& v) : costs_(costs), v_(v), run_(v.size()) {
    raised_v_.reserve(v.size());
    for (const double dual : v) raised_v_.push_back(dual + std::abs(dual) * 0x1p-50);
  }

  // Calls visit(column, at most the reduced cost) for the entries whose reduced cost may be at or below
  // `most`.
  template <class Visit>
  void each_below(std::int64_t row, std::int64_t matched, double most, const Visit& visit) {
    costs_.differences(row, matched, run_.data());
    const double threshold = raised(most);
    const auto columns = static_cast<std::int64_t>(v_.size());
    for (std::int64_t first = 0; first < columns; first += block) {
      const std::int64_t last = std::min(first + block, columns);
      if (!any_below(first, last, threshold)) continue;
      for (std::int64_t j = first; j < last; ++j) {
        if (!below(j, threshold)) continue;
        const double least = lower_bound(row, matched, j);
        if (least <= most) visit(j, least);
      }
    }
  }

 private:
  bool below(std::int64_t j, double threshold) const {
    const auto k = static_cast<std::size_t>(j);
    return run_[k] - raised_v_[k] <= threshold;
  }

  bool any_below(std::int64_t first, std::int64_t last, double threshold) const {
    const double* run = run_.data();
    const double* raised_v = raised_v_.data();
    std::int64_t hits = 0;
    for (std::int64_t j = first; j < last; ++j) hits += run[j] - raised_v[j] <= threshold ? 1 : 0;
    return hits != 0;
  }

  double lower_bound(std::int64_t row, std::int64_t matched, std::int64_t j) const {
    const double v = v_[j];
    const EntryDifference cost = costs_.difference(row, j, matched);
    const double reduced = cost.rounded - v;
    const double error = difference_error(cost.rounded, v, reduced);
    if (error == 0.0 && cost.error == 0.0 && costs_.shift() == 0) return reduced;
    const double sum = reduced + (error + cost.error);
    const double rounding = costs_.shift() == 0 ? 0.0 : 0x1p-1072;
    return sum - (std::abs(sum) * 0x1p-52 + (std::abs(cost.rounded) + std::abs(v)) * 0x1p-100 + rounding);
  }

  const ExactCosts& costs_;
  const std::vector<double>& v_;
  std::vector<double> raised_v_;
  std::vector<double> run_;
};

// One pass over the matrix, and the entries that it found.
class Collection {
 public:
  Collection(const ExactCosts& costs, const CompleteMatching& matching, const std::vector<double>& v,
             NearTightEntries& found)
      : costs_(costs), matching_(matching), v_(v), scan_(costs, v), found_(found) {}

  // Reads every row: its least reduced cost, the deficit, and the entries within `expected` of the matched
  // one.
  Status guess(double expected, Interrupt& interrupt) {
    const std::int64_t most = 16 * (costs_.rows() + costs_.columns());
    least_.resize(costs_.rows());
    found_.deficit = 0.0;
    start_anew();
    for (std::int64_t i = 0; i < costs_.rows(); ++i) {
      if (interrupt.requested()) return Status::interrupted;
      const double matched = matched_reduced(i);
      double least = matched;
      const double wanted = overflowed_ ? matched : add_up(matched, expected);
      scan_.each_below(i, matching_.column_of[i], wanted, [&](std::int64_t j, double reduced) {
        least = std::min(least, reduced);
        if (!overflowed_) keep(j, reduced);
      });
      least_[i] = least;
      found_.deficit = add_up(found_.deficit, add_up(matched, -least));
      overflowed_ = overflowed_ || static_cast<std::int64_t>(found_.column.size()) > most;
      end_row();
    }
    add_unmatched_columns();
    return Status::ok;
  }

  bool guessed_enough(double expected) const { return !overflowed_ && found_.deficit <= expected; }

  // Drops the entries of the guess that lie beyond the deficit.
  void prune() {
    std::size_t kept = 0;
    std::size_t next = 0;
    for (std::int64_t i = 0; i < costs_.rows(); ++i) {
      const double most = most_of_row(i);
      const auto last = static_cast<std::size_t>(found_.start[i + 1]);
      for (; next < last; ++next) {
        if (reduced_[next] > most) continue;
        found_.column[kept] = found_.column[next];
        reduced_[kept++] = reduced_[next];
      }
      found_.start[i + 1] = static_cast<std::int64_t>(kept);
    }
    found_.column.resize(kept);
    reduced_.resize(kept);
  }

  Status collect(Interrupt& interrupt) {
    start_anew();
    for (std::int64_t i = 0; i < costs_.rows(); ++i) {
      if (interrupt.requested()) return Status::interrupted;
      scan_.each_below(i, matching_.column_of[i], most_of_row(i),
                       [&](std::int64_t j, double reduced) { keep(j, reduced); });
      end_row();
    }
    return Status::ok;
  }

  void measure() {
    double widest = found_.deficit;
    for (std::int64_t i = 0; i < costs_.rows(); ++i) {
      const double matched = matched_reduced(i);
      for (auto k = static_cast<std::size_t>(found_.start[i]);
           k < static_cast<std::size_t>(found_.start[i + 1]); ++k) {
        const double rounding = (std::abs(matched) + std::abs(reduced_[k])) * 0x1p-48 + 0x1p-1070;
        widest = std::max(widest, std::abs(reduced_[k] - matched) + rounding);
      }
    }
    found_.widest = std::min(2.0 * widest, largest_double);
  }

 private:
  double matched_reduced(std::int64_t i) const { return -v_[matching_.column_of[i]]; }
  double most_of_row(std::int64_t i) const {
    return std::min(add_up(least_[i], found_.deficit), largest_double);
  }
  void start_anew() {
    found_.start.assign(1, 0);
    found_.column.clear();
    reduced_.clear();
  }
  void keep(std::int64_t j, double reduced) {
    found_.column.push_back(static_cast<std::int32_t>(j));
    reduced_.push_back(reduced);
  }
  void end_row() { found_.start.push_back(static_cast<std::int64_t>(found_.column.size())); }

  void add_unmatched_columns() {
    if (costs_.rows() == costs_.columns()) return;
    for (std::size_t j = 0; j < v_.size(); ++j) {
      if (matching_.row_of[j] < 0) found_.deficit = add_up(found_.deficit, -v_[j]);
    }
  }

  const ExactCosts& costs_;
  const CompleteMatching& matching_;
  const std::vector<double>& v_;
  RowScan scan_;
  NearTightEntries& found_;
  std::vector<double> least_;    // per row, at most its least reduced cost
  std::vector<double> reduced_;  // per entry kept
  bool overflowed_ = false;      // more entries lie within the estimate than a guess may keep
};

}  // namespace

Status find_near_tight(const ExactCosts& costs, const CompleteMatching& matching,
                       const std::vector<double>& v, double expected, NearTightEntries& found,
                       Interrupt& interrupt) {
  Collection collection(costs, matching, v, found);
  Status status = collection.guess(expected, interrupt);
  if (status != Status::ok || found.deficit == 0.0 || std::isinf(found.deficit)) return status;
  if (collection.guessed_enough(expected)) {
    collection.prune();
  } else {
    status = collection.collect(interrupt);
    if (status != Status::ok) return status;
  }
  collection.measure();
  return Status::ok;
}

}  // namespace rebasin::assignment
