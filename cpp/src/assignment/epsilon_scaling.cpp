#include "assignment/epsilon_scaling.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "assignment/tuning.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
class EpsilonScaling {
 public:
  EpsilonScaling(const CostRows<T>& costs, MatchingState& state, AssignmentCounters& counters,
                 Interrupt& interrupt)
      : costs_(costs),
        kernels_(simd::select<T>(simd::active())),
        state_(state),
        counters_(counters),
        interrupt_(interrupt),
        flip_(costs.scale() < 0 ? -T{0} : T{0}),
        buffer_(costs.direct() ? 0 : costs.columns()) {
    state_.v.resize(simd::whole_blocks(costs.columns()), 0.0);
  }

  Attempt run() {
    const double spread = typical_spread();
    const double last = spread / (tuning::last_epsilon_of_spread * static_cast<double>(costs_.rows()));
    double epsilon = spread / tuning::first_epsilon_of_spread;
    Attempt attempt = Attempt::solved;
    while (attempt == Attempt::solved && epsilon > last) {
      attempt = bid_until_matched(epsilon);
      epsilon /= tuning::epsilon_falls_by;
    }
    forget_matching();
    state_.v.resize(costs_.columns());
    // Duals are of use whatever they are.
    return attempt == Attempt::out_of_budget ? Attempt::solved : attempt;
  }

 private:
  const T* row(std::int64_t i) {
    counters_.entries_read += costs_.columns();
    return costs_.row(i, buffer_.data());
  }

  void forget_matching() {
    std::fill(state_.column_of.begin(), state_.column_of.end(), unassigned);
    std::fill(state_.row_of.begin(), state_.row_of.end(), unassigned);
  }

  // Of the finite reduced costs of a row: their mean above the least; the median over a sample of rows.
  double typical_spread() {
    constexpr std::int64_t sampled_rows = 32;
    std::vector<double> spreads;
    const std::int64_t stride = std::max<std::int64_t>(1, costs_.rows() / sampled_rows);
    for (std::int64_t i = stride / 2; i < costs_.rows(); i += stride) {
      const T* run = row(i);
      double least = infinity;
      double sum = 0.0;
      double count = 0.0;
      for (std::int64_t j = 0; j < costs_.columns(); ++j) {
        const double reduced = costs_.scale() * static_cast<double>(run[j]) - state_.v[j];
        if (!(reduced < infinity)) continue;
        least = std::min(least, reduced);
        sum += reduced;
        count += 1.0;
      }
      if (sum / count - least < infinity) spreads.push_back(sum / count - least);
    }
    if (spreads.empty()) return 0.0;
    const auto middle = spreads.begin() + static_cast<std::ptrdiff_t>(spreads.size() / 2);
    std::nth_element(spreads.begin(), middle, spreads.end());
    return *middle;
  }

  // One phase, from an empty matching.
  Attempt bid_until_matched(double epsilon) {
    constexpr std::int64_t bids_between_polls = 32;
    forget_matching();
    bidders_.resize(costs_.rows());
    std::iota(bidders_.rbegin(), bidders_.rend(), 0);
    for (std::int64_t bids = tuning::scaling_bids_per_row * costs_.rows(); !bidders_.empty(); --bids) {
      if (bids == 0) return Attempt::solved;
      if (bids % bids_between_polls == 0 && interrupt_.requested()) return Attempt::interrupted;
      const std::int64_t bidder = bidders_.back();
      bidders_.pop_back();
      const simd::RowBid bid = kernels_.bid_row(row(bidder), flip_, costs_.columns(), state_.v.data());
      // A row of a single column could bid without limit.
      if (bid.invalid || !(bid.second < infinity)) return Attempt::out_of_budget;
      state_.v[bid.at] -= bid.second - bid.best + epsilon;
      const std::int64_t evicted = state_.row_of[bid.at];
      state_.assign(bidder, bid.at);
      if (evicted != unassigned) bidders_.push_back(evicted);
    }
    return Attempt::solved;
  }

  const CostRows<T>& costs_;
  const simd::KernelsFor<T>& kernels_;
  MatchingState& state_;
  AssignmentCounters& counters_;
  Interrupt& interrupt_;
  T flip_;
  std::vector<T> buffer_;
  std::vector<std::int64_t> bidders_;  // the last one is next
};

}  // namespace

template <class T>
Attempt start_from_scaled_epsilon(const CostRows<T>& costs, MatchingState& state,
                                  AssignmentCounters& counters, Interrupt& interrupt) {
  return EpsilonScaling<T>(costs, state, counters, interrupt).run();
}

template Attempt start_from_scaled_epsilon<float>(const CostRows<float>&, MatchingState&, AssignmentCounters&,
                                                  Interrupt&);
template Attempt start_from_scaled_epsilon<double>(const CostRows<double>&, MatchingState&,
                                                   AssignmentCounters&, Interrupt&);

}  // namespace rebasin::assignment
