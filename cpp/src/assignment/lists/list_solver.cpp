#include "assignment/lists/list_solver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "assignment/lists/stages.hpp"
#include "assignment/lists/start/start.hpp"
#include "assignment/strategy/traits.hpp"

namespace rebasin::assignment {
namespace {

// Ties first; where they leave few rows, shortest paths over whole rows. declined where lists do better.
template <class T>
Attempt solve_by_ties(ListState<T>& state, Interrupt& interrupt) {
  Attempt attempt = match_ties(state, TiesMayLeave::rows, interrupt);
  if (attempt != Attempt::solved || state.matching.free_rows.empty()) return attempt;
  const bool few_left = static_cast<std::int64_t>(state.matching.free_rows.size()) * 16 <= state.rows;
  const std::vector<double> before = state.duals.v;
  attempt = put_on_grid(state);
  if (attempt == Attempt::solved && few_left && state.duals.v == before) {
    for (std::int64_t i = 0; i < state.rows; ++i) {
      const std::int32_t j = state.matching.column_of[i];
      if (j != unassigned) state.matching.pair_cost[i] = state.duals.grid.round(state.costs.at(i, j));
    }
    state.evidence = Evidence::whole_rows;
    return search_paths_over_rows(state, interrupt);
  }
  state.evidence = Evidence::lists;
  state.matching.drop();
  return attempt == Attempt::solved ? Attempt::declined : attempt;
}

// Lists that the first bid of each row builds.
template <class T>
void empty_lists(ListRecords<T>& lists) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < lists.bound_is_rounded.size(); ++i) {
    simd::Record<T>& record = lists.records[i];
    std::fill_n(record.cost, simd::record_capacity, std::numeric_limits<T>::infinity());
    std::fill_n(record.column, simd::record_capacity, 0);
    std::fill_n(record.group_bound, simd::record_groups, infinity);
    record.bound = -infinity;
  }
}

// Rows of very different spreads: from v = 0, the rows of the largest spread bid first; the bids of the
// others are too small to outbid them. declined where many rows are left free all the same.
template <class T>
Attempt solve_largest_first(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t most_bids_per_row = 64;
  constexpr std::size_t sampled_rows = 16;
  state.matching.free_rows = order_by_spread(state.costs, state.buffer);
  const std::span<const std::int32_t> order(state.matching.free_rows);
  Attempt attempt = put_on_grid(state, order.last(std::min(sampled_rows, order.size())));
  if (attempt != Attempt::solved) return attempt;
  empty_lists(state.lists);
  attempt = reduce_free_rows(state, most_bids_per_row * state.rows, interrupt);
  std::reverse(state.matching.free_rows.begin(), state.matching.free_rows.end());
  if (attempt == Attempt::solved &&
      static_cast<std::int64_t>(state.matching.free_rows.size()) * 8 > state.rows) {
    state.forget();
    return Attempt::declined;
  }
  return attempt == Attempt::solved ? search_paths(state, interrupt) : attempt;
}

template <class T>
Attempt list_candidates(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t sampled_rows = 16;
  presolve_zeros(state);
  const bool best_only = state.rows == state.columns && rows_stand_out(state, sampled_rows);
  return best_only ? build_best_only(state, interrupt) : build_lists(state, interrupt);
}

}  // namespace

template <class T>
Attempt match_aligned(ListState<T>& state, Interrupt& interrupt) {
  Attempt attempt = put_on_grid(state);
  if (attempt == Attempt::solved) {
    presolve_zeros(state);
    attempt = build_best_only(state, interrupt);
  }
  if (attempt == Attempt::solved) {
    attempt = nearly_all_apart(state) ? match_exactly(state, interrupt) : Attempt::declined;
  }
  if (attempt == Attempt::interrupted || (attempt == Attempt::solved && restore_zeros(state))) return attempt;
  state.forget();
  return Attempt::declined;
}

template <class T>
Attempt match_by_ties(ListState<T>& state, Interrupt& interrupt) {
  Attempt attempt = start_duals(state, interrupt);
  if (attempt != Attempt::solved) return attempt;
  attempt = state.traits.mostly_ties ? match_ties(state, TiesMayLeave::no_row, interrupt) : Attempt::declined;
  if (attempt == Attempt::declined) state.forget();
  return attempt;
}

template <class T>
Attempt solve_by_lists(ListState<T>& state, Interrupt& interrupt) {
  Attempt attempt = Attempt::declined;
  if (state.traits.rows_differ) attempt = solve_largest_first(state, interrupt);
  if (attempt != Attempt::declined) return attempt;
  attempt = start_duals(state, interrupt);
  if (attempt == Attempt::solved && state.traits.mostly_ties) {
    attempt = solve_by_ties(state, interrupt);
    if (attempt != Attempt::declined) return attempt;
    attempt = Attempt::solved;
  }
  if (attempt == Attempt::solved) attempt = list_candidates(state, interrupt);
  if (attempt != Attempt::solved) return attempt;
  attempt = solve_listed(state, interrupt);
  return attempt == Attempt::solved && !restore_zeros(state) ? Attempt::declined : attempt;
}

template Attempt match_aligned<float>(ListState<float>&, Interrupt&);
template Attempt match_aligned<double>(ListState<double>&, Interrupt&);
template Attempt match_by_ties<float>(ListState<float>&, Interrupt&);
template Attempt match_by_ties<double>(ListState<double>&, Interrupt&);
template Attempt solve_by_lists<float>(ListState<float>&, Interrupt&);
template Attempt solve_by_lists<double>(ListState<double>&, Interrupt&);

}  // namespace rebasin::assignment
