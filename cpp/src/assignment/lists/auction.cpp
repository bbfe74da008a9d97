#include <algorithm>
#include <cmath>
#include <limits>

#include "assignment/lists/stages.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t bids_between_polls = 1024;
constexpr std::int64_t bids_between_checks = 16;

// Rows in the order in which they bid: the last first.
void free_all_rows(ListMatching& matching, const Presolve& presolve) {
  matching.drop();
  matching.free_rows.clear();
  for (std::size_t i = presolve.removed.size(); i-- > 0;) {
    if (presolve.removed[i] == 0) matching.free_rows.push_back(static_cast<std::int32_t>(i));
  }
}

// Distance between neighbours on the lists: the geometric mean over a sample of rows, as wide rows would
// outvote all others in a sum. 0 where most rows' best entries are ties.
template <class T>
double typical_spacing(const ListRecords<T>& lists, const Presolve& presolve, const Grid& grid) {
  constexpr std::int64_t sampled_rows = 128;
  const double negligible = 0x1p-30 * grid.limit;
  const auto rows = static_cast<std::int64_t>(presolve.removed.size());
  const std::int64_t stride = std::max<std::int64_t>(1, rows / sampled_rows);
  double logarithms = 0.0;
  std::int64_t spread = 0;
  std::int64_t tied = 0;
  for (std::int64_t i = 0; i < rows; i += stride) {
    const simd::Record<T>& record = lists.records[i];
    if (presolve.removed[i] != 0 || !(record.group_bound[1] < infinity)) continue;
    const double width = record.group_bound[1] - record.group_bound[0];
    if (width > negligible) logarithms += std::log2(width);
    ++(width > negligible ? spread : tied);
  }
  return spread > tied ? std::exp2(logarithms / static_cast<double>(spread)) / 8 : 0.0;
}

// Takes the bid of a row that was scanned at the present duals, or at slightly higher ones, which only makes
// it bid less. False where the dual would leave the grid.
template <class T>
bool take_bid(ListState<T>& state, std::int32_t row, const simd::TwoBest& two, double epsilon) {
  const std::int32_t column = state.lists.records[row].column[two.at];
  ++state.counters.bids;
  // A row with a single candidate could bid without limit; bidding less is always allowed.
  const double increment = std::min(two.second - two.best, state.duals.grid.limit / 64);
  const double dual = state.duals.v[column] - increment - epsilon;
  if (dual < -state.duals.grid.limit / 2) return false;
  state.duals.set(column, dual);
  const std::int32_t evicted = state.matching.row_of[column];
  state.assign_listed(row, two.at);
  if (evicted != unassigned) {
    state.matching.column_of[evicted] = static_cast<std::int32_t>(unassigned);
    state.matching.free_rows.push_back(evicted);
  }
  return true;
}

// Bids of the rows on the stack, the last first: `bid(row, two)` is called with a row taken off it and its
// best two columns, and false, for a dual that leaves the grid, ends in `declined`. Two rows are
// scanned at once, since a scan is a chain of waits for memory; the second is scanned again if both bid for
// the same column. out_of_budget also after `budget` rounds, which then is below zero.
template <class T, class Bid>
Attempt bid_in_pairs(ListState<T>& state, std::int64_t& budget, Interrupt& interrupt, const Bid& bid) {
  std::vector<std::int32_t>& stack = state.matching.free_rows;
  while (!stack.empty()) {
    if (budget-- <= 0) return Attempt::out_of_budget;
    if (budget % bids_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
    if (budget % bids_between_checks == 0 && state.over_budget()) return Attempt::out_of_budget;
    const std::int32_t row = stack.back();
    const std::int32_t other = stack.size() > 1 ? stack[stack.size() - 2] : row;
    const simd::TwoBest two = find_best(state, row);
    const simd::TwoBest others = other == row ? two : find_best(state, other);
    if (!(two.best < infinity && others.best < infinity)) return Attempt::declined;
    const std::int32_t column = state.lists.records[row].column[two.at];
    const bool apart = state.lists.records[other].column[others.at] != column;
    stack.pop_back();
    if (apart) stack.pop_back();
    if (!bid(row, two)) return Attempt::declined;
    if (apart && !bid(other, others)) return Attempt::declined;
  }
  return Attempt::solved;
}

// Where on the list a free column is tied at `best`, or -1.
template <class T>
std::int32_t find_free_tie(const ListState<T>& state, std::int32_t row, double best) {
  const simd::Record<T>& record = state.lists.records[row];
  for (std::int32_t k = 0; k < simd::record_capacity; ++k) {
    const std::int32_t column = record.column[k];
    if (state.matching.row_of[column] != unassigned) continue;
    if (state.duals.grid.round(static_cast<double>(record.cost[k])) - state.duals.v[column] == best) return k;
  }
  return -1;
}

// The row that a bid leaves without a column.
struct Evicted {
  std::int32_t row = static_cast<std::int32_t>(unassigned);
  bool by_tie = false;  // it bids again later, when other duals have moved
};

// One bid at epsilon = 0.
template <class T>
Evicted bid_without_epsilon(ListState<T>& state, std::int32_t row, const simd::TwoBest& two) {
  const std::int32_t column = state.lists.records[row].column[two.at];
  const std::int32_t owner = state.matching.row_of[column];
  if (owner == unassigned) {
    state.assign_listed(row, two.at);
    return {};
  }
  const double increment = std::min(two.second - two.best, state.duals.grid.limit / 64);
  if (increment > 0.0) {
    state.duals.set(column, state.duals.v[column] - increment);
  } else {
    const std::int32_t at = find_free_tie(state, row, two.best);
    if (at >= 0) {
      state.assign_listed(row, at);
      return {};
    }
  }
  state.assign_listed(row, two.at);
  state.matching.column_of[owner] = static_cast<std::int32_t>(unassigned);
  return {owner, !(increment > 0.0)};
}

}  // namespace

template <class T>
Attempt run_epsilon_auction(ListState<T>& state, Interrupt& interrupt) {
  return run_epsilon_auction(state, typical_spacing(state.lists, state.presolve, state.duals.grid),
                             interrupt);
}

template <class T>
Attempt run_epsilon_auction(ListState<T>& state, double spacing, Interrupt& interrupt) {
  constexpr double spacing_share = 0.15;
  constexpr double step_down = 8.0;
  // Among ties, as integers give, small steps would only make every list be built anew.
  if (!(spacing > 0.0)) return Attempt::solved;
  // A power of two leaves duals of integer costs with few bits, so that ties stay exact in float32 scans.
  const double finest =
      std::max(state.duals.grid.step, std::exp2(std::round(std::log2(spacing_share * spacing))));
  // Copies outbid one another by epsilon alone: a step above the finest is due.
  double epsilon = state.traits.columns_repeat ? step_down * finest : finest;
  for (;;) {
    free_all_rows(state.matching, state.presolve);
    const std::int64_t refills_before = state.counters.refills;
    std::int64_t bids_left = 16 * state.rows;
    const Attempt attempt = bid_in_pairs(
        state, bids_left, interrupt,
        [&](std::int32_t row, const simd::TwoBest& two) { return take_bid(state, row, two, epsilon); });
    if (attempt == Attempt::solved) {
      if (epsilon <= finest) break;
      epsilon = std::max(finest, epsilon / step_down);
    } else if (attempt == Attempt::out_of_budget) {
      if (state.over_budget()) return attempt;
      if (epsilon > state.duals.grid.limit / 1024) break;
      // Many refills are a sign of duals far from the optimum; without them, tied rows outbid one another.
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
  free_all_rows(state.matching, state.presolve);
  return reduce_free_rows(state, budget, interrupt);
}

template <class T>
Attempt reduce_free_rows(ListState<T>& state, std::int64_t budget, Interrupt& interrupt) {
  constexpr int rounds = 4;
  std::vector<std::int32_t>& stack = state.matching.free_rows;
  std::vector<std::int32_t> postponed;
  const double lowest = -state.duals.grid.limit / 2;
  const auto bid = [&](std::int32_t row, const simd::TwoBest& two) {
    ++state.counters.bids;
    const Evicted evicted = bid_without_epsilon(state, row, two);
    if (evicted.row != unassigned) (evicted.by_tie ? postponed : stack).push_back(evicted.row);
    return state.duals.v[state.matching.column_of[row]] >= lowest;
  };
  for (int round = 0; round < rounds && !stack.empty() && budget > 0; ++round) {
    postponed.clear();
    const Attempt attempt = bid_in_pairs(state, budget, interrupt, bid);
    const bool bids_are_spent = attempt == Attempt::out_of_budget && budget < 0;
    if (attempt != Attempt::solved && !bids_are_spent) return attempt;
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
