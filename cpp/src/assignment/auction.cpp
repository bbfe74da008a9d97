#include "assignment/auction.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "assignment/candidates.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t bids_between_polls = 1024;

// Rows in the order in which they bid: the last first.
template <class T>
void free_all_rows(ListState<T>& state) {
  state.drop_matching();
  state.free_rows.resize(state.rows);
  std::iota(state.free_rows.rbegin(), state.free_rows.rend(), 0);
}

// Mean distance between neighbours on the lists.
template <class T>
double mean_spacing(const ListState<T>& state) {
  double total = 0.0;
  std::int64_t gaps = 0;
  for (const simd::Record<T>& record : state.records) {
    if (!(record.group_bound[1] < infinity)) continue;
    total += record.group_bound[1] - record.group_bound[0];
    gaps += 8;
  }
  return gaps > 0 ? total / static_cast<double>(gaps) : 0.0;
}

template <class T>
Outcome bid_until_matched(ListState<T>& state, double epsilon, std::int64_t budget, Interrupt& interrupt) {
  std::vector<std::int32_t>& stack = state.free_rows;
  const double lowest = -state.grid.limit / 2;
  while (!stack.empty()) {
    if (budget-- == 0) return Outcome::out_of_budget;
    if (budget % bids_between_polls == 0 && interrupt.requested()) return Outcome::interrupted;
    const std::int32_t row = stack.back();
    const simd::TwoBest two = find_best(state, row);
    if (!(two.best < infinity)) return Outcome::beyond_lists;
    stack.pop_back();
    ++state.counters.bids;
    const std::int32_t column = state.records[row].column[two.at];
    // A row with a single candidate could bid without limit; bidding less is always allowed.
    const double lead = std::min(two.second - two.best, state.grid.limit / 64);
    const double dual = state.v[column] - lead - epsilon;
    if (dual < lowest) return Outcome::beyond_lists;
    state.set_dual(column, dual);
    const std::int32_t evicted = state.row_of[column];
    state.assign(row, column);
    if (evicted != unassigned) {
      state.column_of[evicted] = static_cast<std::int32_t>(unassigned);
      stack.push_back(evicted);
    }
  }
  return Outcome::done;
}

// A free column among those tied at `best`, or unassigned.
template <class T>
std::int32_t find_free_tie(const ListState<T>& state, std::int32_t row, double best) {
  const simd::Record<T>& record = state.records[row];
  for (int k = 0; k < simd::record_capacity; ++k) {
    const std::int32_t column = record.column[k];
    if (state.row_of[column] != unassigned) continue;
    if (state.grid.round(static_cast<double>(record.cost[k])) - state.v[column] == best) return column;
  }
  return static_cast<std::int32_t>(unassigned);
}

}  // namespace

template <class T>
Outcome run_epsilon_auction(ListState<T>& state, Interrupt& interrupt) {
  constexpr double spacing_share = 0.15;
  const std::int64_t budget = 16 * state.rows;
  const double finest = std::max(state.grid.step, state.grid.round(spacing_share * mean_spacing(state)));
  double epsilon = finest;
  for (;;) {
    free_all_rows(state);
    const Outcome outcome = bid_until_matched(state, epsilon, budget, interrupt);
    if (outcome == Outcome::done) {
      if (epsilon <= finest) break;
      epsilon = std::max(finest, state.grid.round(epsilon / 4));
    } else if (outcome == Outcome::out_of_budget) {
      if (epsilon > state.grid.limit / 1024) break;
      epsilon *= 8;
    } else {
      return outcome;
    }
  }
  return Outcome::done;
}

template <class T>
Outcome reduce_rows_by_lists(ListState<T>& state, std::int64_t budget, Interrupt& interrupt) {
  free_all_rows(state);
  std::vector<std::int32_t>& stack = state.free_rows;
  std::vector<std::int32_t> postponed;
  const double lowest = -state.grid.limit / 2;
  while (!stack.empty() && budget-- > 0) {
    if (budget % bids_between_polls == 0 && interrupt.requested()) return Outcome::interrupted;
    const std::int32_t row = stack.back();
    const simd::TwoBest two = find_best(state, row);
    if (!(two.best < infinity)) return Outcome::beyond_lists;
    stack.pop_back();
    ++state.counters.bids;
    const std::int32_t column = state.records[row].column[two.at];
    const std::int32_t evicted = state.row_of[column];
    if (evicted == unassigned) {
      state.assign(row, column);
      continue;
    }
    const double lead = std::min(two.second - two.best, state.grid.limit / 64);
    if (!(lead > 0.0)) {
      const std::int32_t free_column = find_free_tie(state, row, two.best);
      if (free_column != unassigned) {
        state.assign(row, free_column);
      } else {
        postponed.push_back(row);
      }
      continue;
    }
    if (state.v[column] - lead < lowest) return Outcome::beyond_lists;
    state.set_dual(column, state.v[column] - lead);
    state.assign(row, column);
    state.column_of[evicted] = static_cast<std::int32_t>(unassigned);
    stack.push_back(evicted);
  }
  stack.insert(stack.end(), postponed.begin(), postponed.end());
  return Outcome::done;
}

template Outcome run_epsilon_auction<float>(ListState<float>&, Interrupt&);
template Outcome run_epsilon_auction<double>(ListState<double>&, Interrupt&);
template Outcome reduce_rows_by_lists<float>(ListState<float>&, std::int64_t, Interrupt&);
template Outcome reduce_rows_by_lists<double>(ListState<double>&, std::int64_t, Interrupt&);

}  // namespace rebasin::assignment
