#include "assignment/auction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "assignment/candidates.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t bids_between_polls = 1024;
constexpr std::int64_t bids_between_checks = 16;

// Rows in the order in which they bid: the last first.
template <class T>
void free_all_rows(ListState<T>& state) {
  state.drop_matching();
  state.free_rows.clear();
  for (std::int64_t i = state.rows; i-- > 0;) {
    if (state.frozen[i] == 0) state.free_rows.push_back(static_cast<std::int32_t>(i));
  }
}

// Distance between neighbours on the lists: the geometric mean over a sample of rows, as wide rows would
// outvote all others in a sum. 0 where most rows' best entries are ties.
template <class T>
double typical_spacing(const ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 128;
  const double negligible = 0x1p-30 * state.grid.limit;
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  double logarithms = 0.0;
  std::int64_t spread = 0;
  std::int64_t tied = 0;
  for (std::int64_t i = 0; i < state.rows; i += stride) {
    const simd::Record<T>& record = state.records[i];
    if (state.frozen[i] != 0 || !(record.group_bound[1] < infinity)) continue;
    const double width = record.group_bound[1] - record.group_bound[0];
    if (width > negligible) logarithms += std::log2(width);
    ++(width > negligible ? spread : tied);
  }
  return spread > tied ? std::exp2(logarithms / static_cast<double>(spread)) / 8 : 0.0;
}

// Takes the bid of a row that looked at the present duals, or at slightly higher ones, which only makes it
// bid less. False where the dual would leave the grid.
template <class T>
bool take_bid(ListState<T>& state, std::int32_t row, const simd::TwoBest& two, double epsilon) {
  const std::int32_t column = state.records[row].column[two.at];
  ++state.counters.bids;
  // A row with a single candidate could bid without limit; bidding less is always allowed.
  const double lead = std::min(two.second - two.best, state.grid.limit / 64);
  const double dual = state.v[column] - lead - epsilon;
  if (dual < -state.grid.limit / 2) return false;
  state.set_dual(column, dual);
  const std::int32_t evicted = state.row_of[column];
  state.assign_listed(row, two.at);
  if (evicted != unassigned) {
    state.column_of[evicted] = static_cast<std::int32_t>(unassigned);
    state.free_rows.push_back(evicted);
  }
  return true;
}

// Two rows look at once, since a look is a chain of waits for memory; the second looks again if both want the
// same column.
template <class T>
Attempt bid_until_matched(ListState<T>& state, double epsilon, std::int64_t budget, Interrupt& interrupt) {
  std::vector<std::int32_t>& stack = state.free_rows;
  while (!stack.empty()) {
    if (budget-- == 0) return Attempt::out_of_budget;
    if (budget % bids_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
    if (budget % bids_between_checks == 0 && state.over_budget()) return Attempt::out_of_budget;
    const std::int32_t row = stack.back();
    const std::int32_t other = stack.size() > 1 ? stack[stack.size() - 2] : row;
    const simd::TwoBest two = find_best(state, row);
    const simd::TwoBest others = other == row ? two : find_best(state, other);
    if (!(two.best < infinity && others.best < infinity)) return Attempt::declined;
    const std::int32_t column = state.records[row].column[two.at];
    const bool apart = state.records[other].column[others.at] != column;
    stack.pop_back();
    if (apart) stack.pop_back();
    if (!take_bid(state, row, two, epsilon)) return Attempt::declined;
    if (apart && !take_bid(state, other, others, epsilon)) return Attempt::declined;
  }
  return Attempt::solved;
}

// Where on the list a free column is tied at `best`, or -1.
template <class T>
std::int32_t find_free_tie(const ListState<T>& state, std::int32_t row, double best) {
  const simd::Record<T>& record = state.records[row];
  for (std::int32_t k = 0; k < simd::record_capacity; ++k) {
    const std::int32_t column = record.column[k];
    if (state.row_of[column] != unassigned) continue;
    if (state.grid.round(static_cast<double>(record.cost[k])) - state.v[column] == best) return k;
  }
  return -1;
}

// One bid at epsilon = 0. Returns the row left without a column, or unassigned; `lost_to_tie` says that it is
// better asked again later, when other duals have moved.
template <class T>
std::int32_t bid_without_epsilon(ListState<T>& state, std::int32_t row, const simd::TwoBest& two,
                                 bool& lost_to_tie) {
  const std::int32_t column = state.records[row].column[two.at];
  const std::int32_t owner = state.row_of[column];
  lost_to_tie = false;
  if (owner == unassigned) {
    state.assign_listed(row, two.at);
    return owner;
  }
  const double lead = std::min(two.second - two.best, state.grid.limit / 64);
  if (lead > 0.0) {
    state.set_dual(column, state.v[column] - lead);
  } else {
    const std::int32_t at = find_free_tie(state, row, two.best);
    if (at >= 0) {
      state.assign_listed(row, at);
      return static_cast<std::int32_t>(unassigned);
    }
    lost_to_tie = true;
  }
  state.assign_listed(row, two.at);
  state.column_of[owner] = static_cast<std::int32_t>(unassigned);
  return owner;
}

}  // namespace

template <class T>
Attempt run_epsilon_auction(ListState<T>& state, Interrupt& interrupt) {
  return run_epsilon_auction(state, typical_spacing(state), interrupt);
}

template <class T>
Attempt run_epsilon_auction(ListState<T>& state, double spacing, Interrupt& interrupt) {
  constexpr double spacing_share = 0.15;
  constexpr double step_down = 8.0;
  const std::int64_t budget = 16 * state.rows;
  // Among ties, as integers give, small steps would only make every list be built anew.
  if (!(spacing > 0.0)) return Attempt::solved;
  // A power of two leaves duals of integer costs with few bits, so that ties stay exact in float32 scans.
  const double finest = std::max(state.grid.step, std::exp2(std::round(std::log2(spacing_share * spacing))));
  // Copies outbid one another by epsilon alone: a step above the finest is due.
  double epsilon = state.columns_repeat ? step_down * finest : finest;
  for (;;) {
    free_all_rows(state);
    const std::int64_t refills_before = state.counters.refills;
    const Attempt attempt = bid_until_matched(state, epsilon, budget, interrupt);
    if (attempt == Attempt::solved) {
      if (epsilon <= finest) break;
      epsilon = std::max(finest, epsilon / step_down);
    } else if (attempt == Attempt::out_of_budget) {
      if (state.over_budget()) return attempt;
      if (epsilon > state.grid.limit / 1024) break;
      // Lists that had to be built anew tell of duals far from their place; else it is a war among equals.
      const bool far_off = state.counters.refills - refills_before > state.rows;
      epsilon *= far_off ? 64.0 : 8.0;
    } else {
      return attempt;
    }
  }
  return Attempt::solved;
}

template <class T>
Attempt reduce_rows_by_lists(ListState<T>& state, std::int64_t budget, Interrupt& interrupt) {
  free_all_rows(state);
  return reduce_free_rows(state, budget, interrupt);
}

template <class T>
Attempt reduce_free_rows(ListState<T>& state, std::int64_t budget, Interrupt& interrupt) {
  constexpr int rounds = 4;
  std::vector<std::int32_t>& stack = state.free_rows;
  std::vector<std::int32_t> postponed;
  const double lowest = -state.grid.limit / 2;
  const auto bid = [&](std::int32_t row, const simd::TwoBest& two) {
    ++state.counters.bids;
    bool lost_to_tie = false;
    const std::int32_t evicted = bid_without_epsilon(state, row, two, lost_to_tie);
    if (evicted != unassigned) (lost_to_tie ? postponed : stack).push_back(evicted);
    return state.v[state.column_of[row]] >= lowest;
  };
  for (int round = 0; round < rounds && !stack.empty() && budget > 0; ++round) {
    postponed.clear();
    while (!stack.empty() && budget-- > 0) {
      if (budget % bids_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
      if (budget % bids_between_checks == 0 && state.over_budget()) return Attempt::out_of_budget;
      const std::int32_t row = stack.back();
      const std::int32_t other = stack.size() > 1 ? stack[stack.size() - 2] : row;
      const simd::TwoBest two = find_best(state, row);
      const simd::TwoBest others = other == row ? two : find_best(state, other);
      if (!(two.best < infinity && others.best < infinity)) return Attempt::declined;
      const std::int32_t column = state.records[row].column[two.at];
      const bool apart = state.records[other].column[others.at] != column;
      stack.pop_back();
      if (apart) stack.pop_back();
      if (!bid(row, two)) return Attempt::declined;
      if (apart && !bid(other, others)) return Attempt::declined;
    }
    stack.insert(stack.end(), postponed.rbegin(), postponed.rend());
  }
  return Attempt::solved;
}

template Attempt run_epsilon_auction<float>(ListState<float>&, Interrupt&);
template Attempt run_epsilon_auction<double>(ListState<double>&, Interrupt&);
template Attempt run_epsilon_auction<float>(ListState<float>&, double, Interrupt&);
template Attempt run_epsilon_auction<double>(ListState<double>&, double, Interrupt&);
template Attempt reduce_rows_by_lists<float>(ListState<float>&, std::int64_t, Interrupt&);
template Attempt reduce_rows_by_lists<double>(ListState<double>&, std::int64_t, Interrupt&);
template Attempt reduce_free_rows<float>(ListState<float>&, std::int64_t, Interrupt&);
template Attempt reduce_free_rows<double>(ListState<double>&, std::int64_t, Interrupt&);

}  // namespace rebasin::assignment
