#include "sparse/stages.hpp"

namespace rebasin::sparse {
namespace {

constexpr std::size_t rows_between_polls = 256;

class Refinement {
 public:
  Refinement(MatchingState& state, int most_visits)
      : state_(state), visits_(state.graph.rows, 0), waits_(state.graph.rows, 1), most_visits_(most_visits) {
    for (std::int32_t i = 0; i < state.graph.rows; ++i) {
      if (state.column_of[i] != none)
        now_.push_back(i);
      else
        waits_[i] = 0;
    }
  }

  Attempt run(Interrupt& interrupt) {
    std::size_t seen = 0;
    while (!now_.empty()) {
      later_.clear();
      for (const std::int32_t row : now_) {
        if (++seen % rows_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
        waits_[row] = 0;
        if (state_.column_of[row] == none) continue;
        if (++visits_[row] > most_visits_) {
          free(row);
        } else if (!lower_rivals(row)) {
          return Attempt::declined;
        }
      }
      now_.swap(later_);
    }
    return Attempt::solved;
  }

 private:
  // Lowers the duals of columns of lower reduced cost than the row's own, until none is lower.
  bool lower_rivals(std::int32_t row) {
    const Graph& graph = state_.graph;
    const Fixed dual = state_.matched_dual(row);
    state_.counters.entries_read += state_.degree(row);
    for (std::int64_t k = graph.start[row]; k < graph.start[row + 1]; ++k) {
      const std::int32_t column = graph.column[k];
      const Fixed highest = graph.cost[k] - dual;
      if (state_.v[column] <= highest) continue;
      if (highest < -fixed_limit) return false;
      const std::int32_t owner = state_.row_of[column];
      if (owner == row) {  // another entry of the same place
        state_.pair_cost[row] = graph.cost[k];
        return lower_rivals(row);
      }
      if (owner == none && !graph.square()) {
        free(row);
        return true;
      }
      state_.v[column] = highest;
      if (owner == none || waits_[owner] != 0) continue;
      waits_[owner] = 1;
      later_.push_back(owner);
    }
    return true;
  }

  void free(std::int32_t row) {
    state_.row_of[state_.column_of[row]] = none;
    state_.column_of[row] = none;
    state_.free_rows.push_back(row);
  }

  MatchingState& state_;
  std::vector<std::int32_t> visits_;
  std::vector<std::uint8_t> waits_;
  std::vector<std::int32_t> now_;
  std::vector<std::int32_t> later_;
  int most_visits_;
};

}  // namespace

Attempt refine_duals(MatchingState& state, int most_visits, Interrupt& interrupt) {
  return Refinement(state, most_visits).run(interrupt);
}

}  // namespace rebasin::sparse
