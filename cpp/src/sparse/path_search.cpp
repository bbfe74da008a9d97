#include "sparse/path_search.hpp"

#include <algorithm>

namespace rebasin::sparse {
namespace {

constexpr std::size_t rows_between_polls = 256;

}  // namespace

PathSearch::PathSearch(MatchingState& state)
    : state_(state), distance_(state.graph.columns, fixed_infinity), from_(state.graph.columns, none) {}

Attempt PathSearch::augment(std::int32_t free_row, Interrupt& interrupt) {
  ++state_.counters.searches;
  clear();
  if (!enter(free_row, 0)) {
    const Attempt attempt = grow(interrupt);
    if (attempt != Attempt::solved) return attempt;
  }
  if (!lower_duals()) return Attempt::declined;
  augment_along_path(free_row);
  return Attempt::solved;
}

Attempt PathSearch::open_tight_path(Interrupt& interrupt) {
  ++state_.counters.joint_searches;
  clear();
  bool found = false;
  for (const std::int32_t row : state_.free_rows) found |= enter(row, -state_.least_reduced(row));
  if (!found) {
    const Attempt attempt = grow(interrupt);
    if (attempt != Attempt::solved) return attempt;
  }
  return lower_duals() ? Attempt::solved : Attempt::declined;
}

void PathSearch::clear() {
  for (const std::int32_t column : touched_) distance_[column] = fixed_infinity;
  touched_.clear();
  ready_.clear();
  events_.clear();
  scanned_.clear();
  tree_rows_.clear();
  now_ = 0;
  nearest_free_ = fixed_infinity;
  end_ = none;
}

// Until a free column is the nearest.
Attempt PathSearch::grow(Interrupt& interrupt) {
  for (;;) {
    std::int32_t column = none;
    if (!ready_.empty()) {
      column = ready_.back();
      ready_.pop_back();
      if (distance_[column] != now_) continue;
    } else {
      if (events_.empty()) return end_ == none ? Attempt::infeasible : Attempt::solved;
      const auto event = events_.pop();
      if (event.distance >= nearest_free_) return Attempt::solved;
      column = event.id;
      if (event.distance > distance_[column]) continue;
      now_ = event.distance;
    }
    // Closed: no later path is shorter.
    scanned_.push_back({column, now_});
    const std::int32_t row = state_.row_of[column];
    if (scanned_.size() % rows_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
    if (enter(row, now_ - state_.matched_dual(row))) return Attempt::solved;
  }
}

// Adds a row to the tree; a path through it to column j is offset + c - v long. True when a free column is
// reached that nothing can be nearer than.
bool PathSearch::enter(std::int32_t row, Fixed offset) {
  tree_rows_.push_back(row);
  const Graph& graph = state_.graph;
  const std::int64_t first = graph.start[row];
  const std::int64_t last = graph.start[row + 1];
  entries_read_ += last - first;
  for (std::int64_t k = first; k < last; ++k) {
    const std::int32_t column = graph.column[k];
    const Fixed distance = offset + (graph.cost[k] - state_.v[column]);
    if (distance >= nearest_free_ || distance >= distance_[column]) continue;
    if (distance_[column] == fixed_infinity) touched_.push_back(column);
    distance_[column] = distance;
    from_[column] = row;
    if (state_.row_of[column] == none) {
      nearest_free_ = distance;
      end_ = column;
    } else if (distance == now_ && !scanned_.empty()) {
      ready_.push_back(column);
    } else {
      events_.push({distance, column});
    }
  }
  return nearest_free_ == now_ && !scanned_.empty();
}

bool PathSearch::lower_duals() {
  for (const Scanned& tree : scanned_) {
    const Fixed dual = state_.v[tree.column] + (tree.distance - nearest_free_);
    if (dual < -fixed_limit) return false;
    state_.v[tree.column] = dual;
  }
  return true;
}

void PathSearch::augment_along_path(std::int32_t root) {
  const Graph& graph = state_.graph;
  std::int32_t column = end_;
  for (;;) {
    const std::int32_t row = from_[column];
    const std::int32_t next = state_.column_of[row];
    Fixed cost = fixed_infinity;
    for (std::int64_t k = graph.start[row]; k < graph.start[row + 1]; ++k) {
      if (graph.column[k] == column) cost = std::min(cost, graph.cost[k]);
    }
    state_.assign(row, column, cost);
    if (row == root) return;
    column = next;
  }
}

}  // namespace rebasin::sparse
