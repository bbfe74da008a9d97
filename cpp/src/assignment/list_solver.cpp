#include "assignment/list_solver.hpp"

#include <algorithm>
#include <cmath>

#include "assignment/aligned_rows.hpp"
#include "assignment/auction.hpp"
#include "assignment/candidates.hpp"
#include "assignment/first_duals.hpp"
#include "assignment/path_search.hpp"
#include "assignment/tie_matching.hpp"
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
bool nearly_all_apart(const ListState<T>& state) {
  return count_distinct_best(state) * 10 >= state.rows * 9;
}

template <class T>
Outcome match_exactly(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t bids_per_row = 8;
  const Outcome outcome = reduce_rows_by_lists(state, bids_per_row * state.rows, interrupt);
  return outcome == Outcome::done ? search_paths(state, interrupt) : outcome;
}

// A sample of rows tells whether earlier duals still fit: most rows' least reduced cost is near the old row
// dual, or they still meet it twice, as rows do at an optimum (then the rows may have been permuted).
template <class T>
bool duals_still_fit(ListState<T>& state, const double* row_duals) {
  constexpr std::int64_t sampled_rows = 32;
  constexpr int compared = 8;
  constexpr double most_spacings = 2.3;  // measured: beyond it a cold start is the faster one
  const double sign = state.costs.scale() < 0 ? -1.0 : 1.0;
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  int seen = 0;
  int near = 0;
  int tied = 0;
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    scan_row(state, i);
    const auto& found = state.found;
    if (found.invalid || found.count <= compared) return true;  // too short a row to tell
    const auto least = static_cast<double>(found.reduced[0]);
    const double spacing = (static_cast<double>(found.reduced[compared]) - least) / compared;
    ++seen;
    near += std::abs(least - sign * row_duals[i]) <= most_spacings * spacing ? 1 : 0;
    tied += static_cast<double>(found.reduced[1]) - least <= 0x1p-12 * spacing ? 1 : 0;
  }
  return near * 2 >= seen || tied * 4 >= seen;
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

// Ties first; where they leave few rows, shortest paths over whole rows. stale_start where lists do better.
template <class T>
Outcome solve_by_ties(ListState<T>& state, Certificate& proof, Interrupt& interrupt) {
  Outcome outcome = match_ties(state, proof, interrupt);
  state.solved_by_ties = outcome == Outcome::done;
  if (outcome != Outcome::done || state.free_rows.empty()) return outcome;
  const bool few_left = static_cast<std::int64_t>(state.free_rows.size()) * 16 <= state.rows;
  const std::vector<double> before = state.v;
  outcome = put_on_grid(state);
  if (outcome == Outcome::done && few_left && state.v == before) {
    for (std::int64_t i = 0; i < state.rows; ++i) {
      const std::int32_t j = state.column_of[i];
      if (j != unassigned) state.pair_cost[i] = state.grid.round(state.costs.at(i, j));
    }
    proof.u.clear();
    return search_paths_over_rows(state, interrupt);
  }
  state.solved_by_ties = false;
  state.drop_matching();
  return outcome == Outcome::done ? Outcome::stale_start : outcome;
}

// Where rows want columns of their own from the beginning, no duals are needed: one read of the matrix.
// stale_start where the sample deceived.
template <class T>
Outcome match_aligned(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t sampled_rows = 8;
  if (state.rows != state.columns || !rows_stand_out(state, sampled_rows, true)) return Outcome::stale_start;
  Outcome outcome = put_on_grid(state);
  if (outcome == Outcome::done) {
    freeze_zero_lines(state);
    outcome = build_best_only(state, interrupt);
  }
  if (outcome == Outcome::done) {
    outcome = nearly_all_apart(state) ? match_exactly(state, interrupt) : Outcome::stale_start;
  }
  if (outcome == Outcome::interrupted || (outcome == Outcome::done && thaw_zero_lines(state))) return outcome;
  state.forget();
  return Outcome::stale_start;
}

template <class T>
Outcome list_candidates(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t sampled_rows = 16;
  freeze_zero_lines(state);
  const bool best_only = state.rows == state.columns && rows_stand_out(state, sampled_rows, false);
  return best_only ? build_best_only(state, interrupt) : build_lists(state, interrupt);
}

}  // namespace

template <class T>
Outcome solve_by_lists(ListState<T>& state, Certificate& proof, Interrupt& interrupt) {
  Outcome outcome = match_aligned(state, interrupt);
  if (outcome != Outcome::stale_start) return outcome;
  outcome = start_duals(state, interrupt);
  if (outcome == Outcome::done && state.mostly_ties) {
    outcome = solve_by_ties(state, proof, interrupt);
    if (outcome != Outcome::stale_start) return outcome;
    outcome = Outcome::done;
  }
  if (outcome == Outcome::done) outcome = list_candidates(state, interrupt);
  if (outcome != Outcome::done) return outcome;
  outcome = solve_listed(state, interrupt);
  return outcome == Outcome::done && !thaw_zero_lines(state) ? Outcome::beyond_lists : outcome;
}

template <class T>
Outcome solve_listed(ListState<T>& state, Interrupt& interrupt) {
  // Among ties an epsilon starts price wars; a large problem is still better off with one.
  constexpr std::int64_t few_rows = 512;
  const bool few_tied_rows = state.mostly_ties && state.rows <= few_rows;
  if (state.rows == state.columns && !nearly_all_apart(state) && !few_tied_rows) {
    const Outcome outcome = run_epsilon_auction(state, interrupt);
    if (outcome != Outcome::done) return outcome;
  }
  return match_exactly(state, interrupt);
}

template <class T>
Outcome solve_from_duals(ListState<T>& state, const double* row_duals, const double* column_duals,
                         Interrupt& interrupt) {
  Outcome outcome = adopt_duals(state, column_duals);
  if (outcome == Outcome::done && !duals_still_fit(state, row_duals)) outcome = Outcome::stale_start;
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
  if (outcome != Outcome::done) state.forget();
  return outcome;
}

template Outcome solve_listed<float>(ListState<float>&, Interrupt&);
template Outcome solve_listed<double>(ListState<double>&, Interrupt&);
template Outcome solve_by_lists<float>(ListState<float>&, Certificate&, Interrupt&);
template Outcome solve_by_lists<double>(ListState<double>&, Certificate&, Interrupt&);
template Outcome solve_from_duals<float>(ListState<float>&, const double*, const double*, Interrupt&);
template Outcome solve_from_duals<double>(ListState<double>&, const double*, const double*, Interrupt&);

}  // namespace rebasin::assignment
