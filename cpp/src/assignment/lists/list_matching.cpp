#include "assignment/lists/stages.hpp"

namespace rebasin::assignment {
namespace {

constexpr std::int64_t bids_per_row = 8;

struct Trial {
  Attempt attempt;
  bool goes_far;  // most rows are matched, and `attempt` is that of the whole matching
};

// Few bids show whether row reduction alone matches most rows; then it continues.
template <class T>
Trial try_without_epsilon(ListState<T>& state, Interrupt& interrupt) {
  constexpr std::int64_t bids_to_tell = 2;
  Attempt attempt = reduce_rows_by_lists(state, bids_to_tell * state.rows, interrupt);
  const bool few_left = static_cast<std::int64_t>(state.matching.free_rows.size()) * 4 <= state.rows;
  if (!few_left || attempt != Attempt::solved) return {attempt, false};
  attempt = reduce_free_rows(state, bids_per_row * state.rows, interrupt);
  return {attempt == Attempt::solved ? search_paths(state, interrupt) : attempt, true};
}

}  // namespace

template <class T>
std::int64_t count_distinct_best(const ListRecords<T>& lists, const Presolve& presolve,
                                 std::int64_t columns) {
  std::vector<std::uint8_t> taken(columns, 0);
  std::int64_t distinct = 0;
  for (std::size_t i = 0; i < presolve.removed.size(); ++i) {
    if (presolve.removed[i] != 0) continue;
    const std::int32_t best = lists.records[i].column[0];
    distinct += taken[best] == 0 ? 1 : 0;
    taken[best] = 1;
  }
  return distinct;
}

template <class T>
bool nearly_all_apart(const ListState<T>& state) {
  return count_distinct_best(state.lists, state.presolve, state.columns) * 10 >= state.rows * 9;
}

template <class T>
Attempt match_exactly(ListState<T>& state, Interrupt& interrupt) {
  const Attempt attempt = reduce_rows_by_lists(state, bids_per_row * state.rows, interrupt);
  return attempt == Attempt::solved ? search_paths(state, interrupt) : attempt;
}

template <class T>
Attempt solve_listed(ListState<T>& state, Interrupt& interrupt) {
  // Among ties an epsilon starts price wars; a large problem is still better off with one.
  constexpr std::int64_t few_rows = 512;
  const bool few_tied_rows = state.traits.mostly_ties && state.rows <= few_rows;
  const bool square = state.rows == state.columns && state.presolve.unpaired_rows.empty();
  if (square && !nearly_all_apart(state) && !few_tied_rows) {
    if (state.traits.minima_far_apart) {
      const Trial trial = try_without_epsilon(state, interrupt);
      if (trial.goes_far || trial.attempt != Attempt::solved) return trial.attempt;
    }
    const Attempt attempt = run_epsilon_auction(state, interrupt);
    if (attempt != Attempt::solved) return attempt;
  }
  return match_exactly(state, interrupt);
}

template Attempt solve_listed<float>(ListState<float>&, Interrupt&);
template Attempt solve_listed<double>(ListState<double>&, Interrupt&);
template Attempt match_exactly<float>(ListState<float>&, Interrupt&);
template Attempt match_exactly<double>(ListState<double>&, Interrupt&);
template std::int64_t count_distinct_best<float>(const ListRecords<float>&, const Presolve&, std::int64_t);
template bool nearly_all_apart<float>(const ListState<float>&);
template std::int64_t count_distinct_best<double>(const ListRecords<double>&, const Presolve&, std::int64_t);
template bool nearly_all_apart<double>(const ListState<double>&);

}  // namespace rebasin::assignment
