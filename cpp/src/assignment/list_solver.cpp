#include "assignment/list_solver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "assignment/aligned_rows.hpp"
#include "assignment/auction.hpp"
#include "assignment/candidates.hpp"
#include "assignment/first_duals.hpp"
#include "assignment/path_search.hpp"
#include "assignment/row_spread.hpp"
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

constexpr std::int64_t bids_per_row = 8;

template <class T>
bool nearly_all_apart(const ListState<T>& state) {
  return count_distinct_best(state) * 10 >= state.rows * 9;
}

template <class T>
Attempt match_exactly(ListState<T>& state, Interrupt& interrupt) {
  const Attempt attempt = reduce_rows_by_lists(state, bids_per_row * state.rows, interrupt);
  return attempt == Attempt::solved ? search_paths(state, interrupt) : attempt;
}

// Few bids show whether row reduction alone gets far; then it goes on.
template <class T>
Attempt try_without_epsilon(ListState<T>& state, bool& solved, Interrupt& interrupt) {
  constexpr std::int64_t bids_to_tell = 2;
  Attempt attempt = reduce_rows_by_lists(state, bids_to_tell * state.rows, interrupt);
  solved = static_cast<std::int64_t>(state.free_rows.size()) * 4 <= state.rows;
  if (!solved || attempt != Attempt::solved) return attempt;
  attempt = reduce_free_rows(state, bids_per_row * state.rows, interrupt);
  return attempt == Attempt::solved ? search_paths(state, interrupt) : attempt;
}

// What a sample of rows tells about earlier duals.
struct StartFit {
  bool fits = true;        // worth a start
  bool row_duals = false;  // most rows' least reduced cost is near the old row dual
  double spacing = 0.0;    // between neighbours among a row's best
  double drift = 0.0;      // of the least reduced costs that are near
};

// Most rows' least reduced cost is near the old row dual, or they still meet it twice, as rows do at an
// optimum (then the rows may have been permuted).
template <class T>
StartFit look_at_start(ListState<T>& state, const double* row_duals) {
  constexpr std::int64_t sampled_rows = 32;
  constexpr int rows_at_once = 8;
  constexpr int compared = 8;
  constexpr double most_spacings = 2.3;  // measured: beyond it a cold start is the faster one
  const double sign = state.costs.scale() < 0 ? -1.0 : 1.0;
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  StartFit fit;
  int seen = 0;
  int near = 0;
  int tied = 0;
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    scan_row(state, i);
    const auto& found = state.found;
    if (found.invalid || found.count <= compared) return {};  // too short a row to tell
    const auto least = static_cast<double>(found.reduced[0]);
    const double spacing = (static_cast<double>(found.reduced[compared]) - least) / compared;
    ++seen;
    fit.spacing += spacing;
    const double drift = std::abs(least - sign * row_duals[i]);
    const bool is_near = drift <= most_spacings * spacing;
    near += is_near ? 1 : 0;
    fit.drift += is_near ? drift : 0.0;
    tied += static_cast<double>(found.reduced[1]) - least <= 0x1p-12 * spacing ? 1 : 0;
    if (seen % rows_at_once == 0 && near * 2 < seen && tied * 8 < seen) break;
  }
  fit.row_duals = near * 8 >= seen * 5;  // measured: with fewer a cold start is as fast
  fit.fits = fit.row_duals || tied * 4 >= seen;
  fit.spacing /= std::max(seen, 1);
  fit.drift /= std::max(near, 1);
  return fit;
}

// The earlier row duals, and a few neighbours beyond: most rows need no more of a list.
template <class T>
std::vector<T> thresholds_from(const ListState<T>& state, const double* row_duals, const StartFit& fit) {
  constexpr double neighbours = 4.0;
  constexpr double drifts = 2.0;
  const double margin = neighbours * fit.spacing + drifts * fit.drift;
  const double sign = state.costs.scale() < 0 ? -1.0 : 1.0;
  std::vector<T> thresholds(state.rows);
  for (std::int64_t i = 0; i < state.rows; ++i) {
    thresholds[i] = static_cast<T>(sign * row_duals[i] + margin);
  }
  return thresholds;
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

// Row reduction where most rows are apart; an epsilon of its own where they are not, or where it gets stuck.
template <class T>
Attempt finish_from_duals(ListState<T>& state, std::int64_t distinct, double spacing, Interrupt& interrupt) {
  constexpr std::int64_t bids_to_tell = 2;
  constexpr std::int64_t few_rows = 8;
  Attempt attempt = Attempt::solved;
  if (distinct * 100 >= state.rows * 75 || state.rows != state.columns) {
    attempt = reduce_rows_by_lists(state, bids_to_tell * state.rows, interrupt);
    if (attempt != Attempt::solved) return attempt;
    const auto left = static_cast<std::int64_t>(state.free_rows.size());
    if (left <= few_rows || left * 64 <= state.rows) return search_paths(state, interrupt);
    if (state.rows != state.columns) return match_exactly(state, interrupt);
  }
  attempt = run_epsilon_auction(state, spacing, interrupt);
  return attempt == Attempt::solved ? match_exactly(state, interrupt) : attempt;
}

// Ties first; where they leave few rows, shortest paths over whole rows. declined where lists do better.
template <class T>
Attempt solve_by_ties(ListState<T>& state, Certificate& proof, Interrupt& interrupt) {
  Attempt attempt = match_ties(state, TiesMayLeave::rows, proof, interrupt);
  state.solved_by_ties = attempt == Attempt::solved;
  if (attempt != Attempt::solved || state.free_rows.empty()) return attempt;
  const bool few_left = static_cast<std::int64_t>(state.free_rows.size()) * 16 <= state.rows;
  const std::vector<double> before = state.v;
  attempt = put_on_grid(state);
  if (attempt == Attempt::solved && few_left && state.v == before) {
    for (std::int64_t i = 0; i < state.rows; ++i) {
      const std::int32_t j = state.column_of[i];
      if (j != unassigned) state.pair_cost[i] = state.grid.round(state.costs.at(i, j));
    }
    proof.u.clear();
    return search_paths_over_rows(state, interrupt);
  }
  state.solved_by_ties = false;
  state.drop_matching();
  return attempt == Attempt::solved ? Attempt::declined : attempt;
}

// Lists that the first look at each row builds.
template <class T>
void forget_lists(ListState<T>& state) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < state.rows; ++i) {
    simd::Record<T>& record = state.records[i];
    std::fill_n(record.cost, simd::record_capacity, std::numeric_limits<T>::infinity());
    std::fill_n(record.column, simd::record_capacity, 0);
    std::fill_n(record.group_bound, simd::record_groups, infinity);
    record.bound = -infinity;
  }
}

// Rows of very different spreads: from v = 0, the largest settle the columns that matter to them before the
// smaller ones come, whose bids are too small to move them again. declined where it does not come out so.
template <class T>
Attempt solve_largest_first(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t most_bids_per_row = 64;
  constexpr std::size_t sampled_rows = 16;
  state.free_rows = order_by_spread(state);
  const std::span<const std::int32_t> order(state.free_rows);
  Attempt attempt = put_on_grid(state, order.last(std::min(sampled_rows, order.size())));
  if (attempt != Attempt::solved) return attempt;
  forget_lists(state);
  attempt = reduce_free_rows(state, most_bids_per_row * state.rows, interrupt);
  std::reverse(state.free_rows.begin(), state.free_rows.end());
  if (attempt == Attempt::solved && static_cast<std::int64_t>(state.free_rows.size()) * 8 > state.rows) {
    state.forget();
    return Attempt::declined;
  }
  return attempt == Attempt::solved ? search_paths(state, interrupt) : attempt;
}

template <class T>
Attempt list_candidates(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t sampled_rows = 16;
  freeze_zero_lines(state);
  const bool best_only = state.rows == state.columns && rows_stand_out(state, sampled_rows);
  return best_only ? build_best_only(state, interrupt) : build_lists(state, interrupt);
}

}  // namespace

template <class T>
Attempt match_aligned(ListState<T>& state, Interrupt& interrupt) {
  Attempt attempt = put_on_grid(state);
  if (attempt == Attempt::solved) {
    freeze_zero_lines(state);
    attempt = build_best_only(state, interrupt);
  }
  if (attempt == Attempt::solved) {
    attempt = nearly_all_apart(state) ? match_exactly(state, interrupt) : Attempt::declined;
  }
  if (attempt == Attempt::interrupted || (attempt == Attempt::solved && thaw_zero_lines(state)))
    return attempt;
  state.forget();
  return Attempt::declined;
}

template <class T>
Attempt match_by_ties(ListState<T>& state, Certificate& proof, Interrupt& interrupt) {
  Attempt attempt = start_duals(state, interrupt);
  if (attempt != Attempt::solved) return attempt;
  attempt = state.mostly_ties ? match_ties(state, TiesMayLeave::no_row, proof, interrupt) : Attempt::declined;
  state.solved_by_ties = attempt == Attempt::solved;
  if (attempt == Attempt::declined) state.forget();
  return attempt;
}

template <class T>
Attempt solve_by_lists(ListState<T>& state, Certificate& proof, Interrupt& interrupt) {
  Attempt attempt = Attempt::declined;
  if (state.rows_differ) attempt = solve_largest_first(state, interrupt);
  if (attempt != Attempt::declined) return attempt;
  attempt = start_duals(state, interrupt);
  if (attempt == Attempt::solved && state.mostly_ties) {
    attempt = solve_by_ties(state, proof, interrupt);
    if (attempt != Attempt::declined) return attempt;
    attempt = Attempt::solved;
  }
  if (attempt == Attempt::solved) attempt = list_candidates(state, interrupt);
  if (attempt != Attempt::solved) return attempt;
  attempt = solve_listed(state, interrupt);
  return attempt == Attempt::solved && !thaw_zero_lines(state) ? Attempt::declined : attempt;
}

template <class T>
Attempt solve_listed(ListState<T>& state, Interrupt& interrupt) {
  // Among ties an epsilon starts price wars; a large problem is still better off with one.
  constexpr std::int64_t few_rows = 512;
  const bool few_tied_rows = state.mostly_ties && state.rows <= few_rows;
  const bool square = state.rows == state.columns && state.spare_rows.empty();
  if (square && !nearly_all_apart(state) && !few_tied_rows) {
    if (state.minima_far_apart) {
      bool solved = false;
      const Attempt attempt = try_without_epsilon(state, solved, interrupt);
      if (solved || attempt != Attempt::solved) return attempt;
    }
    const Attempt attempt = run_epsilon_auction(state, interrupt);
    if (attempt != Attempt::solved) return attempt;
  }
  return match_exactly(state, interrupt);
}

template <class T>
Attempt solve_from_duals(ListState<T>& state, const double* row_duals, const double* column_duals,
                         Interrupt& interrupt) {
  Attempt attempt = adopt_duals(state, column_duals);
  StartFit fit;
  if (attempt == Attempt::solved) fit = look_at_start(state, row_duals);
  if (!fit.fits) attempt = Attempt::declined;
  if (attempt == Attempt::solved) {
    attempt = fit.row_duals ? build_lists_below(state, thresholds_from(state, row_duals, fit), interrupt)
                            : build_lists(state, interrupt);
  }
  // Cold starts begin with about half of the rows apart.
  const std::int64_t distinct = attempt == Attempt::solved ? count_distinct_best(state) : 0;
  if (attempt == Attempt::solved && distinct * 100 < state.rows * 55) attempt = Attempt::declined;
  if (attempt == Attempt::solved) attempt = finish_from_duals(state, distinct, fit.spacing, interrupt);
  if (attempt == Attempt::solved && leaves_dual_unmatched(state)) attempt = Attempt::declined;
  if (attempt != Attempt::solved) state.forget();
  return attempt;
}

template Attempt match_aligned<float>(ListState<float>&, Interrupt&);
template Attempt match_aligned<double>(ListState<double>&, Interrupt&);
template Attempt match_by_ties<float>(ListState<float>&, Certificate&, Interrupt&);
template Attempt match_by_ties<double>(ListState<double>&, Certificate&, Interrupt&);
template Attempt solve_listed<float>(ListState<float>&, Interrupt&);
template Attempt solve_listed<double>(ListState<double>&, Interrupt&);
template Attempt solve_by_lists<float>(ListState<float>&, Certificate&, Interrupt&);
template Attempt solve_by_lists<double>(ListState<double>&, Certificate&, Interrupt&);
template Attempt solve_from_duals<float>(ListState<float>&, const double*, const double*, Interrupt&);
template Attempt solve_from_duals<double>(ListState<double>&, const double*, const double*, Interrupt&);

}  // namespace rebasin::assignment
