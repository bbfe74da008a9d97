// Auctions on the candidate lists, by one warp, one bid at a time.
#pragma once

#include <cstdint>

#include "assignment/attempt.hpp"
#include "cuda/batched/problem_memory.hpp"
#include "cuda/candidate_row.hpp"

namespace rebasin::cuda {

using assignment::Attempt;

struct TwoBest {
  double best;
  double second;
  std::int32_t at;  // position of the best on its list
};

struct BetterTwo {
  REBASIN_HD TwoBest operator()(TwoBest a, TwoBest b) const {
    const bool a_first = a.best != b.best ? a.best < b.best : a.at < b.at;
    const TwoBest& first = a_first ? a : b;
    const TwoBest& last = a_first ? b : a;
    return {first.best, smaller(first.second, last.best), first.at};
  }
};

// Bids lower v or leave it, so that a list's bound stays valid (Volgenant 1996); only where ties leave the
// least entry of a row off its refilled list may v rise, and the certificate then sends the problem to the
// host. All lanes hold the same values; lane 0 writes.
template <class Warp, class T>
class ListBidding {
 public:
  REBASIN_HD ListBidding(Warp& warp, const CostMatrix<T>& costs, const Grid& grid, ProblemMemory<T>& state)
      : warp_(warp), costs_(costs), grid_(grid), state_(state) {}

  // One phase from an empty matching; out_of_budget leaves rows without a column.
  REBASIN_HD Attempt run_phase(double epsilon, std::int64_t budget) {
    free_all_rows();
    std::int32_t row = pop();
    while (row != nobody) {
      if (budget-- == 0) return Attempt::out_of_budget;
      const TwoBest two = find_best(row);
      if (!(two.best < infinity)) return Attempt::infeasible;
      const double dual = state_.v[column_at(row, two.at)] - increment(two) - epsilon;
      if (dual < -grid_.limit / 2) return Attempt::declined;
      const std::int32_t evicted = assign(row, two.at, dual);
      row = evicted != nobody ? evicted : pop();
    }
    return Attempt::solved;
  }

  // Row reduction: bids without epsilon from an empty matching. A row that loses a tie bids again in the
  // next round. Leaves stack[0 .. free_rows()) for the path search.
  REBASIN_HD Attempt reduce_rows() {
    constexpr int rounds = 4;
    std::int64_t budget = 8 * costs_.rows;
    free_all_rows();
    for (int round = 0; round < rounds && free_ > 0 && budget > 0; ++round) {
      std::int32_t waiting = 0;
      std::int32_t row = pop();
      while (row != nobody) {
        if (budget-- == 0) {
          push(row);
          break;
        }
        bool lost_to_tie = false;
        const Attempt outcome = bid_exactly(row, lost_to_tie);
        if (outcome != Attempt::solved) return outcome;
        if (evicted_ == nobody) {
          row = pop();
        } else if (lost_to_tie) {
          if (warp_.rank() == 0) state_.postponed[waiting] = evicted_;
          ++waiting;
          row = pop();
        } else {
          row = evicted_;
        }
      }
      warp_.sync();
      for (std::int32_t k = warp_.rank(); k < waiting; k += warp_.size()) {
        state_.stack[free_ + k] = state_.postponed[waiting - 1 - k];
      }
      free_ += waiting;
      warp_.sync();
    }
    return Attempt::solved;
  }

  REBASIN_HD std::int32_t free_rows() const { return free_; }

  // The two best of a row, proven; a list whose bound no longer proves its best is found anew.
  REBASIN_HD TwoBest find_best(std::int32_t row) {
    TwoBest two = best_listed(row);
    if (two.best > state_.bound[row]) {
      refill(row);
      two = best_listed(row);
    }
    two.second = smaller(two.second, state_.bound[row]);
    return two;
  }

 private:
  REBASIN_HD std::int32_t column_at(std::int32_t row, std::int32_t place) const {
    return static_cast<std::int32_t>(state_.list_column[std::int64_t{row} * list_capacity + place]);
  }

  REBASIN_HD double reduced_at(std::int32_t row, std::int32_t place) const {
    const std::int64_t at = std::int64_t{row} * list_capacity + place;
    return grid_.round(static_cast<double>(state_.list_cost[at])) - state_.v[state_.list_column[at]];
  }

  // A row with a single candidate could bid without limit; bidding less is always allowed.
  REBASIN_HD double increment(const TwoBest& two) const {
    return smaller(two.second - two.best, grid_.limit / 64);
  }

  REBASIN_HD TwoBest best_listed(std::int32_t row) {
    TwoBest two{infinity, infinity, list_capacity};
    for (std::int32_t place = warp_.rank(); place < list_capacity; place += warp_.size()) {
      two = BetterTwo()(two, {reduced_at(row, place), infinity, place});
    }
    return warp_.reduce(two, BetterTwo());
  }

  REBASIN_HD void refill(std::int32_t row) {
    const std::int64_t at = std::int64_t{row} * list_capacity;
    const RowCandidates found = list_candidates(warp_, costs_, grid_, state_.v, row, state_.minima,
                                                state_.list_cost + at, state_.list_column + at);
    if (warp_.rank() == 0) state_.bound[row] = found.bound;
    warp_.sync();
  }

  REBASIN_HD void free_all_rows() {
    const auto rows = static_cast<std::int32_t>(costs_.rows);
    warp_.sync();
    for (std::int32_t i = warp_.rank(); i < rows; i += warp_.size()) {
      state_.stack[i] = rows - 1 - i;
      state_.column_of[i] = nobody;
    }
    for (std::int64_t j = warp_.rank(); j < costs_.columns; j += warp_.size()) state_.row_of[j] = nobody;
    free_ = rows;
    warp_.sync();
  }

  REBASIN_HD std::int32_t pop() { return free_ > 0 ? state_.stack[--free_] : nobody; }

  REBASIN_HD void push(std::int32_t row) {
    warp_.sync();
    if (warp_.rank() == 0) state_.stack[free_] = row;
    ++free_;
    warp_.sync();
  }

  // Gives `row` the column at `place` of its list, whose dual becomes `dual`; returns the row that held it.
  REBASIN_HD std::int32_t assign(std::int32_t row, std::int32_t place, double dual) {
    const std::int32_t column = column_at(row, place);
    const std::int32_t owner = state_.row_of[column];
    warp_.sync();
    if (warp_.rank() == 0) {
      state_.v[column] = dual;
      state_.row_of[column] = row;
      state_.column_of[row] = column;
      state_.pair_cost[row] =
          grid_.round(static_cast<double>(state_.list_cost[std::int64_t{row} * list_capacity + place]));
      if (owner != nobody) state_.column_of[owner] = nobody;
    }
    warp_.sync();
    return owner;
  }

  // Where on the list a free column is tied with the best, or list_capacity.
  REBASIN_HD std::int32_t find_free_tie(std::int32_t row, double best) {
    std::int32_t found = list_capacity;
    for (std::int32_t place = warp_.rank(); place < list_capacity; place += warp_.size()) {
      const bool tied = reduced_at(row, place) == best && state_.row_of[column_at(row, place)] == nobody;
      if (tied) found = smaller(found, place);
    }
    return warp_.reduce(found, Min());
  }

  REBASIN_HD Attempt bid_exactly(std::int32_t row, bool& lost_to_tie) {
    const TwoBest two = find_best(row);
    if (!(two.best < infinity)) return Attempt::infeasible;
    const std::int32_t column = column_at(row, two.at);
    double dual = state_.v[column];
    std::int32_t place = two.at;
    if (state_.row_of[column] != nobody) {
      const double lowered = dual - increment(two);
      if (lowered < dual) {
        dual = lowered;
      } else {
        const std::int32_t tie = find_free_tie(row, two.best);
        lost_to_tie = tie == list_capacity;
        if (!lost_to_tie) place = tie;
        dual = state_.v[column_at(row, place)];
      }
    }
    if (dual < -grid_.limit / 2) return Attempt::declined;
    evicted_ = assign(row, place, dual);
    return Attempt::solved;
  }

  Warp& warp_;
  const CostMatrix<T>& costs_;
  const Grid& grid_;
  ProblemMemory<T>& state_;
  std::int32_t free_ = 0;
  std::int32_t evicted_ = nobody;
};

}  // namespace rebasin::cuda
