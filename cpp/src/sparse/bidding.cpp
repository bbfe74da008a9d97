#include "sparse/stages.hpp"

namespace rebasin::sparse {
namespace {

constexpr std::int64_t rows_between_polls = 256;

}  // namespace

Attempt run_auction(MatchingState& state, Fixed epsilon, Fixed range, std::int64_t budget,
                    Interrupt& interrupt) {
  const Graph& graph = state.graph;
  std::vector<std::int32_t>& free_rows = state.free_rows;
  std::int64_t polls = rows_between_polls;
  const std::int64_t allowed = budget;
  Attempt attempt = Attempt::solved;
  while (!free_rows.empty()) {
    if (--polls == 0) {
      polls = rows_between_polls;
      if (interrupt.requested()) return Attempt::interrupted;
    }
    const std::int32_t row = free_rows.back();
    budget -= state.degree(row);
    if (budget < 0) {
      attempt = Attempt::out_of_budget;
      break;
    }
    free_rows.pop_back();
    const TwoBest two = state.two_best(row);
    const std::int32_t column = graph.column[two.best_at];
    const Fixed price = state.v[column] - (std::min(two.second - two.best, range) + epsilon);
    if (price < -fixed_limit) return Attempt::declined;
    state.v[column] = price;
    const std::int32_t evicted = state.row_of[column];
    state.assign(row, column, graph.cost[two.best_at]);
    ++state.counters.bids;
    if (evicted == none) continue;
    state.column_of[evicted] = none;
    free_rows.push_back(evicted);
  }
  state.counters.entries_read += allowed - std::max<std::int64_t>(budget, 0);
  return attempt;
}

Attempt reduce_rows(MatchingState& state, Fixed range, int rounds, std::int64_t budget,
                    Interrupt& interrupt) {
  const Graph& graph = state.graph;
  std::vector<std::int32_t>& free_rows = state.free_rows;
  std::vector<std::int32_t> waiting;
  const std::int64_t allowed = budget;
  std::int64_t polls = rows_between_polls;
  for (int round = 0; round < rounds && !free_rows.empty() && budget > 0; ++round) {
    waiting.clear();
    while (!free_rows.empty() && budget > 0) {
      if (--polls == 0) {
        polls = rows_between_polls;
        if (interrupt.requested()) return Attempt::interrupted;
      }
      const std::int32_t row = free_rows.back();
      free_rows.pop_back();
      budget -= state.degree(row);
      const TwoBest two = state.two_best(row);
      std::int64_t at = two.best_at;
      const Fixed fall = std::min(two.second - two.best, range);
      if (fall == 0 && state.row_of[graph.column[at]] != none) at = two.second_at;
      const std::int32_t column = graph.column[at];
      const std::int32_t evicted = state.row_of[column];
      if (fall == 0 && evicted != none) {
        waiting.push_back(row);
        continue;
      }
      const Fixed price = state.v[column] - fall;
      if (price < -fixed_limit) return Attempt::declined;
      state.v[column] = price;
      state.assign(row, column, graph.cost[at]);
      ++state.counters.bids;
      if (evicted == none) continue;
      state.column_of[evicted] = none;
      free_rows.push_back(evicted);
    }
    free_rows.insert(free_rows.end(), waiting.rbegin(), waiting.rend());
  }
  state.counters.entries_read += allowed - budget;
  return Attempt::solved;
}

}  // namespace rebasin::sparse
