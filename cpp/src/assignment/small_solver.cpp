#include "assignment/small_solver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "simd/kernels.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class SmallProblem {
 public:
  SmallProblem(std::int64_t rows, std::int64_t columns, MatchingState& state)
      : rows_(rows),
        columns_(columns),
        kernels_(simd::active().float64),
        cost_(std::make_unique_for_overwrite<double[]>(rows * columns)),
        state_(state) {
    state_.reset(rows, columns);
  }

  const double* row(std::int64_t i) const { return cost_.get() + i * columns_; }

  // Copies and checks the costs.
  template <class T>
  simd::Widened load(const CostRows<T>& costs) {
    const simd::KernelsFor<T>& kernels = simd::select<T>(simd::active());
    const T flip = costs.scale() < 0 ? -T{0} : T{0};
    T buffer[small_columns];
    simd::Widened found{false, false};
    for (std::int64_t i = 0; i < rows_; ++i) {
      const simd::Widened here =
          kernels.widen(costs.row(i, buffer), flip, columns_, cost_.get() + i * columns_);
      found.invalid |= here.invalid;
      found.beyond |= here.beyond;
    }
    return found;
  }

  // v_j = the mean of the column's minima over four blocks of rows, as in the list solver; fewer for few
  // rows.
  bool start_duals() {
    const std::int64_t blocks = rows_ >= 32 ? 4 : 1;
    std::vector<double>& v = state_.v;
    double minima[small_columns];
    for (std::int64_t block = 0; block < blocks; ++block) {
      std::fill_n(minima, columns_, infinity);
      lower_minima(rows_ * block / blocks, rows_ * (block + 1) / blocks, minima);
      for (std::int64_t j = 0; j < columns_; ++j) v[j] += minima[j] / static_cast<double>(blocks);
    }
    for (std::int64_t j = 0; j < columns_; ++j) {
      if (!(v[j] < infinity)) v[j] = least_of_column(j);
      if (!(v[j] < infinity)) return false;
    }
    return true;
  }

  // One phase of the auction at an epsilon that suits the rows' leads, whose matching is dropped.
  void run_epsilon_auction() {
    constexpr double share = 0.15;
    constexpr std::int64_t rows_between_samples = 4;
    double leads = 0.0;
    std::int64_t counted = 0;
    free_all();
    for (std::int64_t i = 0; i < rows_; i += rows_between_samples) {
      const simd::TwoBest two = best_of(i);
      if (!(two.second < infinity)) continue;
      leads += two.second - two.best;
      ++counted;
    }
    if (leads > 0.0) {
      // A power of two keeps the duals' bits few, and most arithmetic exact.
      const double epsilon = std::exp2(std::round(std::log2(share * leads / static_cast<double>(counted))));
      for (std::int64_t budget = 8 * rows_; budget > 0 && !state_.free_rows.empty(); --budget) bid(epsilon);
    }
    for (std::int64_t& row : state_.row_of) row = unassigned;
    for (std::int64_t& column : state_.column_of) column = unassigned;
  }

  // Row reduction; ties evict once and are asked again in the next round.
  bool reduce_rows() {
    constexpr int rounds = 3;
    std::int64_t budget = 8 * rows_;
    free_all();
    for (int round = 0; round < rounds && !state_.free_rows.empty(); ++round) {
      postponed_.clear();
      while (!state_.free_rows.empty() && budget-- > 0) {
        if (!bid(0.0)) return false;
      }
      state_.free_rows.insert(state_.free_rows.end(), postponed_.begin(), postponed_.end());
    }
    return true;
  }

  // Shortest augmenting paths for the rows still free; false where every path is forbidden.
  bool augment() {
    const std::int64_t padded = (columns_ + 7) / 8 * 8;
    double open[small_columns];
    double w[small_columns];
    for (const std::int64_t row : state_.free_rows) {
      std::fill_n(open, padded, infinity);
      std::copy(state_.v.begin(), state_.v.end(), w);
      std::fill(w + columns_, w + padded, 0.0);
      if (!augment_from(row, open, w)) return false;
    }
    return true;
  }

 private:
  simd::TwoBest best_of(std::int64_t i) const {
    return kernels_.row_best(row(i), 0.0, columns_, state_.v.data());
  }

  void lower_minima(std::int64_t first, std::int64_t last, double* minima) const {
    constexpr int at_once = 8;
    const double* runs[at_once];
    for (std::int64_t i = first; i < last; i += at_once) {
      const int count = static_cast<int>(std::min<std::int64_t>(at_once, last - i));
      for (int k = 0; k < count; ++k) runs[k] = row(i + k);
      kernels_.lower_minima(runs, count, 0.0, columns_, minima);
    }
  }

  double least_of_column(std::int64_t j) const {
    double least = infinity;
    for (std::int64_t i = 0; i < rows_; ++i) least = std::min(least, row(i)[j]);
    return least;
  }

  void free_all() {
    state_.free_rows.resize(rows_);
    for (std::int64_t i = 0; i < rows_; ++i) state_.free_rows[i] = rows_ - 1 - i;
  }

  // The last free row takes its best column; false where all of them are forbidden.
  bool bid(double epsilon) {
    const std::int64_t row = state_.free_rows.back();
    const simd::TwoBest two = best_of(row);
    if (!(two.best < infinity)) return false;
    state_.free_rows.pop_back();
    const std::int64_t owner = state_.row_of[two.at];
    double& dual = state_.v[two.at];
    bool lowered = false;
    if (owner != unassigned || epsilon > 0.0) {
      const double lead = two.second < infinity ? two.second - two.best : 0.0;
      lowered = dual - (lead + epsilon) < dual;
      dual -= lead + epsilon;
    }
    state_.assign(row, two.at);
    if (owner == unassigned) return true;
    state_.column_of[owner] = unassigned;
    (lowered ? state_.free_rows : postponed_).push_back(owner);
    return true;
  }

  bool augment_from(std::int64_t root, double* open, double* w) {
    std::int64_t scanned[small_columns];
    double distance[small_columns];
    int scans = 0;
    std::int64_t row = root;
    double offset = 0.0;
    double reached = -infinity;
    for (;;) {
      const double nearest = kernels_.relax(this->row(row), 0.0, 0.0, offset, columns_, w,
                                            static_cast<std::int32_t>(row), open, from_);
      if (!(nearest < infinity)) return false;
      std::int64_t column = unassigned;
      for (std::int64_t j = 0; j < columns_; ++j) {
        if (open[j] != nearest) continue;
        column = j;
        if (state_.row_of[j] == unassigned) break;
      }
      // Rounding may offer a path shorter than its own beginning.
      reached = std::max(reached, nearest);
      if (state_.row_of[column] == unassigned) {
        for (int k = 0; k < scans; ++k) state_.v[scanned[k]] += distance[k] - reached;
        flip(column, root);
        return true;
      }
      scanned[scans] = column;
      distance[scans++] = reached;
      open[column] = infinity;
      w[column] = -infinity;
      row = state_.row_of[column];
      offset = reached - (this->row(row)[column] - state_.v[column]);
    }
  }

  void flip(std::int64_t column, std::int64_t root) {
    for (;;) {
      const std::int64_t giver = from_[column];
      const std::int64_t next = state_.column_of[giver];
      state_.assign(giver, column);
      if (giver == root) return;
      column = next;
    }
  }

  std::int64_t rows_;
  std::int64_t columns_;
  const simd::KernelsFor<double>& kernels_;
  std::unique_ptr<double[]> cost_;
  MatchingState& state_;
  std::vector<std::int64_t> postponed_;
  std::int32_t from_[small_columns];
};

}  // namespace

template <class T>
Status solve_small(const CostRows<T>& costs, MatchingState& state, Certificate& proof, bool& beyond) {
  constexpr std::int64_t rows_for_auction = 24;
  SmallProblem problem(costs.rows(), costs.columns(), state);
  const simd::Widened loaded = problem.load(costs);
  if (loaded.invalid) return Status::invalid_entry;
  beyond = loaded.beyond;
  if (beyond) return Status::ok;
  if (costs.rows() == costs.columns()) {
    if (!problem.start_duals()) return Status::infeasible;
    if (costs.rows() >= rows_for_auction) problem.run_epsilon_auction();
  }
  if (!problem.reduce_rows() || !problem.augment()) return Status::infeasible;
  state.free_rows.clear();
  constexpr auto size = static_cast<std::int64_t>(sizeof(double));
  const CostRows<double> local({.data = problem.row(0),
                                .element = Element::float64,
                                .swapped_bytes = false,
                                .rows = costs.rows(),
                                .columns = costs.columns(),
                                .row_stride = costs.columns() * size,
                                .column_stride = size,
                                .maximize = false});
  Interrupt never;
  return certify(local, state, proof, never);
}

template Status solve_small<float>(const CostRows<float>&, MatchingState&, Certificate&, bool&);
template Status solve_small<double>(const CostRows<double>&, MatchingState&, Certificate&, bool&);

}  // namespace rebasin::assignment
