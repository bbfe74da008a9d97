#include "assignment/list_solver.hpp"

#include <algorithm>

#include "assignment/auction.hpp"
#include "assignment/candidates.hpp"
#include "assignment/first_duals.hpp"
#include "assignment/path_search.hpp"
#include "assignment/zero_lines.hpp"

namespace rebasin::assignment {
namespace {

// Rows whose best column is no earlier row's best.
template <class T>
std::int64_t count_distinct_best(const ListState<T>& state) {
  std::vector<std::uint8_t> taken(state.columns, 0);
  std::int64_t distinct = 0;
  for (std::int64_t i = 0; i < state.rows; ++i) {
    if (state.frozen[i] != 0) continue;
    const std::int32_t best = state.records[i].column[0];
    distinct += taken[best] == 0 ? 1 : 0;
    taken[best] = 1;
  }
  return distinct;
}

template <class T>
Outcome match_exactly(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t bids_per_row = 8;
  const Outcome outcome = reduce_rows_by_lists(state, bids_per_row * state.rows, interrupt);
  return outcome == Outcome::done ? search_paths(state, interrupt) : outcome;
}

// Duals below zero on a rectangle's unmatched columns: no optimum has them.
template <class T>
bool leaves_dual_unmatched(const ListState<T>& state) {
  if (state.rows == state.columns) return false;
  for (std::int64_t j = 0; j < state.columns; ++j) {
    if (state.row_of[j] == unassigned && state.v[j] < 0.0) return true;
  }
  return false;
}

}  // namespace

template <class T>
Outcome solve_by_lists(ListState<T>& state, Interrupt& interrupt) {
  Outcome outcome = start_duals(state, interrupt);
  if (outcome == Outcome::done) {
    freeze_zero_lines(state);
    outcome = build_lists(state, interrupt);
  }
  if (outcome != Outcome::done) return outcome;
  outcome = solve_listed(state, interrupt);
  return outcome == Outcome::done && !thaw_zero_lines(state) ? Outcome::beyond_lists : outcome;
}

template <class T>
Outcome solve_listed(ListState<T>& state, Interrupt& interrupt) {
  const bool nearly_solved = count_distinct_best(state) * 10 >= state.rows * 9;
  if (state.rows == state.columns && !nearly_solved) {
    const Outcome outcome = run_epsilon_auction(state, interrupt);
    if (outcome != Outcome::done) return outcome;
  }
  return match_exactly(state, interrupt);
}

template <class T>
Outcome solve_from_duals(ListState<T>& state, const double* duals, Interrupt& interrupt) {
  Outcome outcome = adopt_duals(state, duals);
  if (outcome == Outcome::done) outcome = build_lists(state, interrupt);
  if (outcome == Outcome::done) {
    const std::int64_t distinct = count_distinct_best(state);
    // Cold starts begin with about half of the rows apart.
    if (distinct * 100 < state.rows * 55) outcome = Outcome::stale_start;
    if (outcome == Outcome::done && distinct * 100 < state.rows * 75 && state.rows == state.columns) {
      outcome = run_epsilon_auction(state, interrupt);
    }
  }
  if (outcome == Outcome::done) outcome = match_exactly(state, interrupt);
  if (outcome == Outcome::done && leaves_dual_unmatched(state)) outcome = Outcome::stale_start;
  if (outcome != Outcome::done) {
    std::fill(state.v.begin(), state.v.end(), 0.0);
    std::fill(state.v_up.begin(), state.v_up.end(), T{0});
    state.free_rows.clear();
    state.drop_matching();
    std::fill(state.bound_is_rounded.begin(), state.bound_is_rounded.end(), std::uint8_t{0});
  }
  return outcome;
}

template Outcome solve_listed<float>(ListState<float>&, Interrupt&);
template Outcome solve_listed<double>(ListState<double>&, Interrupt&);
template Outcome solve_by_lists<float>(ListState<float>&, Interrupt&);
template Outcome solve_by_lists<double>(ListState<double>&, Interrupt&);
template Outcome solve_from_duals<float>(ListState<float>&, const double*, Interrupt&);
template Outcome solve_from_duals<double>(ListState<double>&, const double*, Interrupt&);

}  // namespace rebasin::assignment
