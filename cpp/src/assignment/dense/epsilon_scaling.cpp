#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "assignment/dense/stages.hpp"
#include "assignment/strategy/tuning.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
class EpsilonScaling {
 public:
  explicit EpsilonScaling(DenseProblem<T>& problem) : problem_(problem) {}

  Attempt run() {
    const double spread = typical_spread();
    const double last = spread / (tuning::last_epsilon_of_spread * static_cast<double>(problem_.rows));
    double epsilon = spread / tuning::first_epsilon_of_spread;
    Attempt attempt = Attempt::solved;
    while (attempt == Attempt::solved && epsilon > last) {
      attempt = bid_until_matched(epsilon);
      epsilon /= tuning::epsilon_falls_by;
    }
    forget_matching();
    // Any duals are feasible on a square problem.
    return attempt == Attempt::out_of_budget ? Attempt::solved : attempt;
  }

 private:
  void forget_matching() {
    std::fill(problem_.state.column_of.begin(), problem_.state.column_of.end(), unassigned);
    std::fill(problem_.state.row_of.begin(), problem_.state.row_of.end(), unassigned);
  }

  // Of the finite reduced costs of a row: their mean above the least; the median over a sample of rows.
  double typical_spread() {
    constexpr std::int64_t sampled_rows = 32;
    std::vector<double> spreads;
    const std::int64_t stride = std::max<std::int64_t>(1, problem_.rows / sampled_rows);
    for (std::int64_t i = stride / 2; i < problem_.rows; i += stride) {
      const T* run = problem_.row(i);
      double least = infinity;
      double sum = 0.0;
      double count = 0.0;
      for (std::int64_t j = 0; j < problem_.columns; ++j) {
        const double reduced = problem_.costs.scale() * static_cast<double>(run[j]) - problem_.state.v[j];
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
    bidders_.resize(problem_.rows);
    std::iota(bidders_.rbegin(), bidders_.rend(), 0);
    for (std::int64_t bids = tuning::scaling_bids_per_row * problem_.rows; !bidders_.empty(); --bids) {
      if (bids == 0) return Attempt::solved;
      if (bids % bids_between_polls == 0 && problem_.interrupt.requested()) return Attempt::interrupted;
      const std::int64_t bidder = bidders_.back();
      bidders_.pop_back();
      const simd::RowBid bid = problem_.bid(bidder);
      // A row of a single column could bid without limit.
      if (bid.invalid || !(bid.second < infinity)) return Attempt::out_of_budget;
      problem_.state.v[bid.at] -= bid.second - bid.best + epsilon;
      const std::int64_t evicted = problem_.state.row_of[bid.at];
      problem_.state.assign(bidder, bid.at);
      if (evicted != unassigned) bidders_.push_back(evicted);
    }
    return Attempt::solved;
  }

  DenseProblem<T>& problem_;
  std::vector<std::int64_t> bidders_;  // the last one is next
};

}  // namespace

template <class T>
Attempt scale_epsilon(DenseProblem<T>& problem) {
  return EpsilonScaling<T>(problem).run();
}

template Attempt scale_epsilon<float>(DenseProblem<float>&);
template Attempt scale_epsilon<double>(DenseProblem<double>&);

}  // namespace rebasin::assignment
