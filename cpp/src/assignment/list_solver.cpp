#include "assignment/list_solver.hpp"

#include "assignment/auction.hpp"
#include "assignment/candidates.hpp"
#include "assignment/first_duals.hpp"
#include "assignment/path_search.hpp"

namespace rebasin::assignment {
namespace {

// Rows whose best column is no earlier row's best.
template <class T>
std::int64_t count_distinct_best(const ListState<T>& state) {
  std::vector<std::uint8_t> taken(state.columns, 0);
  std::int64_t distinct = 0;
  for (std::int64_t i = 0; i < state.rows; ++i) {
    const std::int32_t best = state.records[i].column[0];
    distinct += taken[best] == 0 ? 1 : 0;
    taken[best] = 1;
  }
  return distinct;
}

}  // namespace

template <class T>
Outcome solve_by_lists(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t bids_per_row = 8;
  Outcome outcome = start_duals(state, interrupt);
  if (outcome == Outcome::done) outcome = build_lists(state, interrupt);
  if (outcome != Outcome::done) return outcome;
  const bool nearly_solved = count_distinct_best(state) * 10 >= state.rows * 9;
  if (state.rows == state.columns && !nearly_solved) {
    outcome = run_epsilon_auction(state, interrupt);
    if (outcome != Outcome::done) return outcome;
  }
  outcome = reduce_rows_by_lists(state, bids_per_row * state.rows, interrupt);
  if (outcome != Outcome::done) return outcome;
  return search_paths(state, interrupt);
}

template Outcome solve_by_lists<float>(ListState<float>&, Interrupt&);
template Outcome solve_by_lists<double>(ListState<double>&, Interrupt&);

}  // namespace rebasin::assignment
