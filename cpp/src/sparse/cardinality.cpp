#include "sparse/stages.hpp"

namespace rebasin::sparse {
namespace {

constexpr std::size_t rows_between_polls = 256;
constexpr std::int32_t unreached = -1;

template <bool only_tight>
class HopcroftKarp {
 public:
  explicit HopcroftKarp(MatchingState& state)
      : state_(state), level_(state.graph.rows, unreached), next_(state.graph.rows) {}

  Attempt run(Interrupt& interrupt) {
    while (!state_.free_rows.empty()) {
      const Attempt attempt = layer(interrupt);
      if (attempt != Attempt::solved) return attempt;
      if (!found_free_) break;
      if (!extend(interrupt)) return Attempt::interrupted;
    }
    return Attempt::solved;
  }

 private:
  // Breadth first from all free rows, to the layer that meets free columns.
  Attempt layer(Interrupt& interrupt) {
    std::fill(level_.begin(), level_.end(), unreached);
    queue_ = state_.free_rows;
    for (const std::int32_t row : queue_) level_[row] = 0;
    found_free_ = false;
    std::int32_t last_level = static_cast<std::int32_t>(state_.graph.rows);
    for (std::size_t at = 0; at < queue_.size(); ++at) {
      const std::int32_t row = queue_[at];
      if (level_[row] >= last_level) break;
      if (at % rows_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
      visit(row, [&](std::int32_t column, std::int64_t) {
        const std::int32_t owner = state_.row_of[column];
        if (owner == none) {
          found_free_ = true;
          last_level = level_[row];
        } else if (level_[owner] == unreached) {
          level_[owner] = level_[row] + 1;
          queue_.push_back(owner);
        }
        return false;
      });
    }
    for (std::int64_t i = 0; i < state_.graph.rows; ++i) next_[i] = state_.graph.start[i];
    return Attempt::solved;
  }

  // A greatest set of disjoint shortest paths, depth first along the layers.
  bool extend(Interrupt& interrupt) {
    std::vector<std::int32_t> left;
    std::size_t seen = 0;
    for (const std::int32_t root : state_.free_rows) {
      if (++seen % rows_between_polls == 0 && interrupt.requested()) return false;
      if (!augment(root)) left.push_back(root);
    }
    state_.free_rows.swap(left);
    return true;
  }

  bool augment(std::int32_t root) {
    path_.assign(1, root);
    while (!path_.empty()) {
      const std::int32_t row = path_.back();
      const std::int64_t at = advance(row);
      if (at == state_.graph.start[row + 1]) {
        level_[row] = unreached;
        path_.pop_back();
        continue;
      }
      const std::int32_t owner = state_.row_of[state_.graph.column[at]];
      if (owner != none) {
        path_.push_back(owner);
        continue;
      }
      // Each row on the path takes the column that its pointer stands at.
      for (const std::int32_t i : path_) {
        const std::int64_t k = next_[i];
        state_.assign(i, state_.graph.column[k], state_.graph.cost[k]);
        level_[i] = unreached;
      }
      return true;
    }
    return false;
  }

  // The row's next entry that leads to a free column or one layer on; its end if there is none.
  std::int64_t advance(std::int32_t row) {
    const std::int64_t last = state_.graph.start[row + 1];
    std::int64_t& at = next_[row];
    const Fixed least = only_tight ? state_.dual(row) : 0;
    for (; at < last; ++at) {
      const std::int32_t column = state_.graph.column[at];
      if (only_tight && state_.graph.cost[at] - state_.v[column] != least) continue;
      const std::int32_t owner = state_.row_of[column];
      if (owner == none || level_[owner] == level_[row] + 1) break;
    }
    return at;
  }

  template <class Visitor>
  void visit(std::int32_t row, Visitor visitor) {
    const std::int64_t last = state_.graph.start[row + 1];
    state_.counters.entries_read += last - state_.graph.start[row];
    const Fixed least = only_tight ? state_.dual(row) : 0;
    for (std::int64_t k = state_.graph.start[row]; k < last; ++k) {
      const std::int32_t column = state_.graph.column[k];
      if (only_tight && state_.graph.cost[k] - state_.v[column] != least) continue;
      visitor(column, k);
    }
  }

  MatchingState& state_;
  std::vector<std::int32_t> level_;
  std::vector<std::int64_t> next_;
  std::vector<std::int32_t> queue_;
  std::vector<std::int32_t> path_;
  bool found_free_ = false;
};

}  // namespace

Attempt match_entries(MatchingState& state, Interrupt& interrupt) {
  return HopcroftKarp<false>(state).run(interrupt);
}

Attempt match_tight_entries(MatchingState& state, Interrupt& interrupt) {
  return HopcroftKarp<true>(state).run(interrupt);
}

}  // namespace rebasin::sparse
