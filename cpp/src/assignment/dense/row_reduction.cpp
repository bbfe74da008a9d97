#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <utility>

#include "assignment/dense/stages.hpp"
#include "assignment/strategy/tuning.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
class RowReduction {
 public:
  RowReduction(DenseProblem<T>& problem, bool until_conflicts)
      : problem_(problem), until_conflicts_(until_conflicts) {}

  // Two rounds of bids: rows that ties left without a column bid again when the other duals have moved.
  Attempt run() {
    masks_.resize(simd::whole_blocks(problem_.columns) / simd::block + 1);
    free_columns_.assign((problem_.columns + simd::block - 1) / simd::block, ~std::uint64_t{0});
    // Among equal duals tied columns cannot be ranked.
    postpone_ties_ = std::all_of(problem_.state.v.begin(), problem_.state.v.end(),
                                 [](double dual) { return dual == 0.0; });
    std::vector<std::int64_t> bidders(problem_.rows);
    std::iota(bidders.begin(), bidders.end(), 0);
    evictions_left_ = problem_.rows;
    Attempt attempt = bid_in_turn(bidders);
    if (attempt != Attempt::solved || free_.empty()) return attempt;
    bidders.swap(free_);
    free_.clear();
    postpone_ties_ = false;
    first_round_ = false;
    return bid_in_turn(bidders);
  }

  std::vector<std::int64_t> take_free_rows() { return std::move(free_); }

 private:
  // Every row bids for its best column at epsilon = 0; a row that loses its column bids again at once, while
  // the budget lasts.
  Attempt bid_in_turn(const std::vector<std::int64_t>& bidders) {
    for (const std::int64_t first : bidders) {
      if (until_conflicts_ && first_round_ && too_many_conflicts(first)) return Attempt::declined;
      for (std::int64_t bidder = first; bidder != unassigned;) {
        if (problem_.stop_requested()) return Attempt::interrupted;
        const simd::RowBid bid = problem_.bid(bidder);
        if (bid.invalid) return Attempt::invalid;
        std::int64_t evicted = unassigned;
        if (!take_bid(bidder, bid, evicted)) return Attempt::infeasible;
        if (evicted != unassigned && evictions_left_-- <= 0) {
          free_.push_back(evicted);
          evicted = unassigned;
        }
        bidder = evicted;
      }
    }
    return Attempt::solved;
  }

  bool too_many_conflicts(std::int64_t rows_asked) const {
    return problem_.rows - evictions_left_ >
           tuning::conflicts_allowed + rows_asked / tuning::rows_per_conflict;
  }

  // Gives `row` its best column, or leaves it to the path search. False where it has none.
  bool take_bid(std::int64_t row, const simd::RowBid& bid, std::int64_t& evicted) {
    if (problem_.price <= bid.best) return problem_.price < infinity;
    const double second = std::min(bid.second, problem_.price);
    const std::int64_t owner = problem_.state.row_of[bid.at];
    const double lowered = problem_.state.v[bid.at] - (second - bid.best);
    if (second < infinity && lowered < problem_.state.v[bid.at]) {
      problem_.state.v[bid.at] = lowered;
      evicted = owner;
      if (owner != unassigned) problem_.state.column_of[owner] = unassigned;
      take(row, bid.at);
    } else if (owner == unassigned && second > bid.best) {
      take(row, bid.at);
    } else if (postpone_ties_ || !take_tied_column(row, bid.best)) {
      free_.push_back(row);
    }
    return true;
  }

  // Among the first equals the column of the least dual, which other rows are less likely to be tied at.
  bool take_tied_column(std::int64_t i, double best) {
    constexpr int compared = 8;
    problem_.kernels.mark_equal(problem_.row(i), problem_.sign_mask, problem_.columns,
                                problem_.state.v.data(), best, masks_.data());
    std::int64_t chosen = unassigned;
    int seen = 0;
    for (std::size_t word = 0; word < free_columns_.size() && seen < compared; ++word) {
      for (std::uint64_t bits = masks_[word] & free_columns_[word]; bits != 0 && seen < compared;
           bits &= bits - 1, ++seen) {
        const auto j = static_cast<std::int64_t>(word) * simd::block + std::countr_zero(bits);
        if (chosen == unassigned || problem_.state.v[j] < problem_.state.v[chosen]) chosen = j;
      }
    }
    if (chosen != unassigned) take(i, chosen);
    return chosen != unassigned;
  }

  void take(std::int64_t row, std::int64_t column) {
    problem_.assign(row, column);
    free_columns_[column / simd::block] &= ~(std::uint64_t{1} << (column % simd::block));
  }

  DenseProblem<T>& problem_;
  bool until_conflicts_;
  std::vector<std::uint64_t> masks_;
  std::vector<std::uint64_t> free_columns_;  // a bit each; a column once taken stays taken
  std::vector<std::int64_t> free_;
  std::int64_t evictions_left_ = 0;
  bool postpone_ties_ = false;  // rows of one best column choose first
  bool first_round_ = true;
};

}  // namespace

template <class T>
ReducedRows reduce_rows(DenseProblem<T>& problem, bool until_conflicts) {
  RowReduction<T> reduction(problem, until_conflicts);
  const Attempt attempt = reduction.run();
  return {attempt, reduction.take_free_rows()};
}

template ReducedRows reduce_rows<float>(DenseProblem<float>&, bool);
template ReducedRows reduce_rows<double>(DenseProblem<double>&, bool);

}  // namespace rebasin::assignment
