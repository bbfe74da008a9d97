#include <algorithm>
#include <cmath>

#include "assignment/lists/list_solver.hpp"
#include "assignment/lists/stages.hpp"

namespace rebasin::assignment {
namespace {

// The fit of earlier duals to a sample of rows.
struct StartFit {
  bool fits = true;        // worth a start
  bool row_duals = false;  // most rows' least reduced cost is near the old row dual
  double spacing = 0.0;    // between neighbours among a row's best
  double drift = 0.0;      // of the least reduced costs that are near
};

// Most rows' least reduced cost is near the old row dual, or they still meet it twice, as rows do at an
// optimum (then the rows may have been permuted).
template <class T>
StartFit compare_with_start(ListState<T>& state, const double* row_duals) {
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
    const auto& found = state.lists.found;
    if (found.invalid || found.count <= compared) return {};  // too short a row to compare
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
std::vector<T> thresholds_from(const CostRows<T>& costs, const double* row_duals, const StartFit& fit) {
  constexpr double neighbours = 4.0;
  constexpr double drifts = 2.0;
  const double margin = neighbours * fit.spacing + drifts * fit.drift;
  const double sign = costs.scale() < 0 ? -1.0 : 1.0;
  std::vector<T> thresholds(costs.rows());
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    thresholds[i] = static_cast<T>(sign * row_duals[i] + margin);
  }
  return thresholds;
}

// Duals below zero on a rectangle's unmatched columns: no optimum has them.
template <class T>
bool leaves_dual_unmatched(const GridDuals<T>& duals, const ListMatching& matching) {
  if (matching.column_of.size() == matching.row_of.size()) return false;
  for (std::size_t j = 0; j < matching.row_of.size(); ++j) {
    if (matching.row_of[j] == unassigned && duals.v[j] < 0.0) return true;
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
    const auto left = static_cast<std::int64_t>(state.matching.free_rows.size());
    if (left <= few_rows || left * 64 <= state.rows) return search_paths(state, interrupt);
    if (state.rows != state.columns) return match_exactly(state, interrupt);
  }
  attempt = run_epsilon_auction(state, spacing, interrupt);
  return attempt == Attempt::solved ? match_exactly(state, interrupt) : attempt;
}

}  // namespace

template <class T>
Attempt solve_from_duals(ListState<T>& state, const double* row_duals, const double* column_duals,
                         Interrupt& interrupt) {
  Attempt attempt = adopt_duals(state, column_duals);
  StartFit fit;
  if (attempt == Attempt::solved) fit = compare_with_start(state, row_duals);
  if (!fit.fits) attempt = Attempt::declined;
  if (attempt == Attempt::solved) {
    attempt = fit.row_duals
                  ? build_lists_below(state, thresholds_from(state.costs, row_duals, fit), interrupt)
                  : build_lists(state, interrupt);
  }
  // Cold starts begin with about half of the rows apart.
  const std::int64_t distinct =
      attempt == Attempt::solved ? count_distinct_best(state.lists, state.presolve, state.columns) : 0;
  if (attempt == Attempt::solved && distinct * 100 < state.rows * 55) attempt = Attempt::declined;
  if (attempt == Attempt::solved) attempt = finish_from_duals(state, distinct, fit.spacing, interrupt);
  if (attempt == Attempt::solved && leaves_dual_unmatched(state.duals, state.matching))
    attempt = Attempt::declined;
  if (attempt != Attempt::solved) state.forget();
  return attempt;
}

template Attempt solve_from_duals<float>(ListState<float>&, const double*, const double*, Interrupt&);
template Attempt solve_from_duals<double>(ListState<double>&, const double*, const double*, Interrupt&);

}  // namespace rebasin::assignment
