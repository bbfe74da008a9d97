#include "assignment/dense_solver.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "assignment/epsilon_scaling.hpp"
#include "assignment/tuning.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
class DenseSolver {
 public:
  DenseSolver(const CostRows<T>& costs, MatchingState& state, const DenseLimits& limits,
              AssignmentCounters& counters, Interrupt& interrupt)
      : costs_(costs),
        kernels_(simd::select<T>(simd::active())),
        state_(state),
        counters_(counters),
        interrupt_(interrupt),
        flip_(costs.scale() < 0 ? -T{0} : T{0}),
        limits_(limits),
        price_(limits.unmatched_price),
        rows_(costs.rows()),
        columns_(costs.columns()),
        buffer_(costs.direct() ? 0 : columns_),
        pair_cost_(rows_) {
    state_.v.resize(simd::whole_blocks(columns_), 0.0);
  }

  Attempt run(double& free_rows) {
    Attempt attempt = reduce_rows();
    free_rows = static_cast<double>(free_rows_.size()) / static_cast<double>(rows_);
    if (attempt == Attempt::solved && free_rows > limits_.most_free_rows) attempt = Attempt::declined;
    if (attempt == Attempt::solved && free_rows > tuning::many_free_rows && may_scale()) {
      attempt = start_from_scaled_epsilon(costs_, state_, counters_, interrupt_);
      free_rows_.clear();
      first_round_ = true;
      if (attempt == Attempt::solved) attempt = reduce_rows();
    }
    for (std::size_t k = 0; k < free_rows_.size() && attempt == Attempt::solved; ++k) {
      attempt = augment(free_rows_[k]);
    }
    state_.v.resize(columns_);
    return attempt;
  }

 private:
  const T* row(std::int64_t i) {
    counters_.entries_read += columns_;
    return costs_.row(i, buffer_.data());
  }

  // Elsewhere columns that stay unmatched need a dual of zero.
  bool may_scale() const { return rows_ == columns_ && price_ == infinity; }

  // Reading the clock costs as much as a short row does.
  bool stop_requested() {
    constexpr std::int64_t rows_between_polls = 32;
    return ++steps_ % rows_between_polls == 0 && interrupt_.requested();
  }

  // Two rounds of bids: rows that ties left without a column ask again when the other duals have moved.
  Attempt reduce_rows() {
    masks_.resize(simd::whole_blocks(columns_) / simd::block + 1);
    free_columns_.assign((columns_ + simd::block - 1) / simd::block, ~std::uint64_t{0});
    // Duals that differ tell tied columns apart.
    postpone_ties_ = std::all_of(state_.v.begin(), state_.v.end(), [](double dual) { return dual == 0.0; });
    std::vector<std::int64_t> bidders(rows_);
    std::iota(bidders.begin(), bidders.end(), 0);
    evictions_left_ = rows_;
    Attempt attempt = bid_in_turn(bidders);
    if (attempt != Attempt::solved || free_rows_.empty()) return attempt;
    bidders.swap(free_rows_);
    free_rows_.clear();
    postpone_ties_ = false;
    first_round_ = false;
    return bid_in_turn(bidders);
  }

  // Every row bids for its best column at epsilon = 0; a row that loses its column bids again at once, while
  // the budget lasts.
  Attempt bid_in_turn(const std::vector<std::int64_t>& bidders) {
    for (const std::int64_t first : bidders) {
      if (limits_.until_conflicts && first_round_ && too_many_conflicts(first)) return Attempt::declined;
      for (std::int64_t bidder = first; bidder != unassigned;) {
        if (stop_requested()) return Attempt::interrupted;
        const simd::RowBid bid = kernels_.bid_row(row(bidder), flip_, columns_, state_.v.data());
        if (bid.invalid) return Attempt::invalid;
        std::int64_t evicted = unassigned;
        if (!take_bid(bidder, bid, evicted)) return Attempt::infeasible;
        if (evicted != unassigned && evictions_left_-- <= 0) {
          free_rows_.push_back(evicted);
          evicted = unassigned;
        }
        bidder = evicted;
      }
    }
    return Attempt::solved;
  }

  bool too_many_conflicts(std::int64_t rows_asked) const {
    return rows_ - evictions_left_ > tuning::conflicts_allowed + rows_asked / tuning::rows_per_conflict;
  }

  // Gives `row` its best column, or leaves it to the path search. False where it has none.
  bool take_bid(std::int64_t row, const simd::RowBid& bid, std::int64_t& evicted) {
    if (price_ <= bid.best) return price_ < infinity;
    const double second = std::min(bid.second, price_);
    const std::int64_t owner = state_.row_of[bid.at];
    const double lowered = state_.v[bid.at] - (second - bid.best);
    if (second < infinity && lowered < state_.v[bid.at]) {
      state_.v[bid.at] = lowered;
      evicted = owner;
      if (owner != unassigned) state_.column_of[owner] = unassigned;
      assign(row, bid.at);
    } else if (owner == unassigned && second > bid.best) {
      assign(row, bid.at);
    } else if (postpone_ties_ || !take_tied_column(row, bid.best)) {
      free_rows_.push_back(row);
    }
    return true;
  }

  // Among the first equals the column of the least dual, which other rows are less likely to be tied at.
  bool take_tied_column(std::int64_t i, double best) {
    constexpr int compared = 8;
    kernels_.mark_equal(row(i), flip_, columns_, state_.v.data(), best, masks_.data());
    std::int64_t chosen = unassigned;
    int seen = 0;
    for (std::size_t word = 0; word < free_columns_.size() && seen < compared; ++word) {
      for (std::uint64_t bits = masks_[word] & free_columns_[word]; bits != 0 && seen < compared;
           bits &= bits - 1, ++seen) {
        const auto j = static_cast<std::int64_t>(word) * simd::block + std::countr_zero(bits);
        if (chosen == unassigned || state_.v[j] < state_.v[chosen]) chosen = j;
      }
    }
    if (chosen != unassigned) assign(i, chosen);
    return chosen != unassigned;
  }

  void assign(std::int64_t row, std::int64_t column) {
    state_.assign(row, column);
    free_columns_[column / simd::block] &= ~(std::uint64_t{1} << (column % simd::block));
    pair_cost_[row] = costs_.at(row, column);
  }

  // Problems that row reduction solves need none of it.
  void make_room() {
    open_.assign(simd::whole_blocks(columns_), infinity);
    least_.resize(simd::whole_blocks(columns_) / 8 + 8);
    from_.resize(simd::whole_blocks(columns_));
    found_.resize(columns_);
  }

  // Dijkstra's search from a free row; all columns equally near are scanned together.
  Attempt augment(std::int64_t root) {
    ++counters_.augmentations;
    if (open_.empty()) make_room();
    root_ = root;
    scanned_.clear();
    std::fill(from_.begin(), from_.end(), static_cast<std::int32_t>(root));
    double nearest =
        kernels_.start_paths(row(root), flip_, columns_, state_.v.data(), open_.data(), least_.data());
    double reached = -infinity;
    double unmatched = price_;  // the shortest path to a row that gives up its column
    std::int64_t giving_up = root;
    for (;;) {
      if (stop_requested()) return restore(Attempt::interrupted);
      if (!(nearest < unmatched)) {
        return unmatched < infinity ? finish_unmatched(giving_up, unmatched) : restore(Attempt::infeasible);
      }
      // Rounding may offer a path shorter than its own beginning.
      reached = std::max(reached, nearest);
      const std::int64_t count =
          kernels_.collect_equal(open_.data(), least_.data(), columns_, nearest, found_.data());
      for (std::int64_t k = 0; k < count; ++k) {
        if (state_.row_of[found_[k]] == unassigned) return finish(found_[k], reached);
      }
      double least = infinity;
      for (std::int64_t k = 0; k < count; ++k) close(found_[k], reached);
      for (std::int64_t k = 0; k < count; ++k) {
        const Scanned& closed = scanned_[scanned_.size() - count + k];
        const std::int64_t i = state_.row_of[closed.column];
        const double offset = reached - (pair_cost_[i] - closed.dual);
        if (offset + price_ < unmatched) {
          unmatched = std::max(offset + price_, reached);
          giving_up = i;
        }
        ++counters_.scanned_rows;
        least =
            kernels_.extend_paths(row(i), flip_, columns_, state_.v.data(), offset,
                                  static_cast<std::int32_t>(i), open_.data(), from_.data(), least_.data());
      }
      nearest = least;
    }
  }

  // A column at its final distance leaves the search: at a dual of -inf every path to it is +inf long.
  void close(std::int32_t column, double distance) {
    scanned_.push_back({column, distance, state_.v[column]});
    state_.v[column] = -infinity;
    open_[column] = infinity;
  }

  Attempt finish(std::int64_t column, double reached) {
    lower_duals(reached);
    flip_path(column);
    return Attempt::solved;
  }

  Attempt finish_unmatched(std::int64_t row, double reached) {
    lower_duals(reached);
    const std::int64_t column = state_.column_of[row];
    state_.column_of[row] = unassigned;
    if (row != root_) flip_path(column);
    return Attempt::solved;
  }

  void lower_duals(double reached) {
    for (const Scanned& closed : scanned_) {
      state_.v[closed.column] = closed.dual + (closed.distance - reached);
    }
  }

  Attempt restore(Attempt attempt) {
    for (const Scanned& closed : scanned_) state_.v[closed.column] = closed.dual;
    return attempt;
  }

  void flip_path(std::int64_t column) {
    for (;;) {
      const std::int64_t row = from_[column];
      const std::int64_t next = state_.column_of[row];
      assign(row, column);
      if (row == root_) return;
      column = next;
    }
  }

  struct Scanned {
    std::int32_t column;
    double distance;
    double dual;
  };

  const CostRows<T>& costs_;
  const simd::KernelsFor<T>& kernels_;
  MatchingState& state_;
  AssignmentCounters& counters_;
  Interrupt& interrupt_;
  T flip_;
  const DenseLimits& limits_;
  double price_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::vector<T> buffer_;
  std::vector<double> pair_cost_;
  std::vector<double> open_;   // distance of each column reached; +inf if not, or once it is scanned
  std::vector<double> least_;  // of open_, a block at a time
  std::vector<std::int32_t> from_;
  std::vector<std::int32_t> found_;
  std::vector<std::uint64_t> masks_;
  std::vector<std::uint64_t> free_columns_;  // a bit each; a column once taken stays taken
  std::vector<Scanned> scanned_;
  std::vector<std::int64_t> free_rows_;
  std::int64_t root_ = unassigned;
  std::int64_t steps_ = 0;
  std::int64_t evictions_left_ = 0;
  bool postpone_ties_;  // rows of one best column choose first
  bool first_round_ = true;
};

}  // namespace

template <class T>
Attempt solve_densely(const CostRows<T>& costs, MatchingState& state, const DenseLimits& limits,
                      double& free_rows, AssignmentCounters& counters, Interrupt& interrupt) {
  return DenseSolver<T>(costs, state, limits, counters, interrupt).run(free_rows);
}

template Attempt solve_densely<float>(const CostRows<float>&, MatchingState&, const DenseLimits&, double&,
                                      AssignmentCounters&, Interrupt&);
template Attempt solve_densely<double>(const CostRows<double>&, MatchingState&, const DenseLimits&, double&,
                                       AssignmentCounters&, Interrupt&);

}  // namespace rebasin::assignment
