#include <algorithm>
#include <memory>

#include "assignment/event_queue.hpp"
#include "sparse/stages.hpp"

namespace rebasin::sparse {
namespace {

constexpr std::size_t columns_between_polls = 256;

using Queue = assignment::EventQueue<Fixed, std::int32_t>;  // columns

class Release {
 public:
  explicit Release(MatchingState& state)
      : state_(state),
        distance_(state.graph.columns, fixed_infinity),
        from_(state.graph.columns, none),
        by_cost_(state.graph.columns) {
    const Graph& graph = state.graph;
    start_.assign(graph.columns + 1, 0);
    for (std::int64_t k = 0; k < graph.entries(); ++k) ++start_[graph.column[k] + 1];
    for (std::int64_t j = 0; j < graph.columns; ++j) start_[j + 1] += start_[j];
    row_ = std::make_unique_for_overwrite<std::int32_t[]>(graph.entries());
    cost_ = std::make_unique_for_overwrite<Fixed[]>(graph.entries());
    std::vector<std::int64_t> at(start_.begin(), start_.end() - 1);
    for (std::int64_t i = 0; i < graph.rows; ++i) {
      for (std::int64_t k = graph.start[i]; k < graph.start[i + 1]; ++k) {
        const std::int64_t place = at[graph.column[k]]++;
        row_[place] = static_cast<std::int32_t>(i);
        cost_[place] = graph.cost[k];
      }
    }
  }

  // Distances are rises of duals: of a column by `rise - distance` when the search ends at `rise`.
  Attempt run(std::int32_t root, Interrupt& interrupt) {
    clear();
    rise_ = -state_.v[root];
    end_ = root;
    distance_[root] = 0;
    touched_.push_back(root);
    events_.push({0, root});
    std::vector<Queue::Event> scanned;
    while (!events_.empty()) {
      const Queue::Event event = events_.pop();
      if (event.distance >= rise_) break;
      if (event.distance > distance_[event.id]) continue;
      scanned.push_back(event);
      if (scanned.size() % columns_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
      scan(event);
    }
    for (const Queue::Event& event : scanned) {
      if (event.distance < rise_) state_.v[event.id] += rise_ - event.distance;
    }
    shift(root);
    return Attempt::solved;
  }

 private:
  void clear() {
    for (const std::int32_t column : touched_) distance_[column] = fixed_infinity;
    touched_.clear();
    events_.clear();
  }

  // As the column's dual rises, entries of other rows in it become tight; then the duals of their columns
  // rise too.
  void scan(const Queue::Event& event) {
    for (std::int64_t k = start_[event.id]; k < start_[event.id + 1]; ++k) {
      const std::int32_t row = row_[k];
      const std::int32_t column = state_.column_of[row];
      if (column == event.id) continue;
      const Fixed slack = cost_[k] - state_.v[event.id] - state_.matched_dual(row);
      const Fixed distance = event.distance + slack;
      if (distance >= rise_ || distance >= distance_[column]) continue;
      if (distance_[column] == fixed_infinity) touched_.push_back(column);
      distance_[column] = distance;
      from_[column] = event.id;
      by_cost_[column] = cost_[k];
      if (distance - state_.v[column] < rise_) {
        rise_ = distance - state_.v[column];
        end_ = column;
      }
      events_.push({distance, column});
    }
  }

  // From the end back to the root each column's row moves to the column before.
  void shift(std::int32_t root) {
    std::int32_t column = end_;
    if (column == root) return;
    std::int32_t row = state_.row_of[column];
    state_.row_of[column] = none;
    for (;;) {
      const std::int32_t before = from_[column];
      const std::int32_t next = state_.row_of[before];
      state_.assign(row, before, by_cost_[column]);
      if (before == root) return;
      row = next;
      column = before;
    }
  }

  MatchingState& state_;
  std::vector<std::int64_t> start_;  // the entries by columns
  std::unique_ptr<std::int32_t[]> row_;
  std::unique_ptr<Fixed[]> cost_;
  std::vector<Fixed> distance_;
  std::vector<std::int32_t> from_;
  std::vector<Fixed> by_cost_;  // the cost at which the column's row moves to the column before
  std::vector<std::int32_t> touched_;
  Queue events_;
  Fixed rise_ = 0;
  std::int32_t end_ = none;
};

}  // namespace

Attempt release_columns(MatchingState& state, Interrupt& interrupt) {
  std::unique_ptr<Release> release;
  for (std::int32_t j = 0; j < state.graph.columns; ++j) {
    if (state.row_of[j] != none || state.v[j] == 0) continue;
    if (!release) release = std::make_unique<Release>(state);
    const Attempt attempt = release->run(j, interrupt);
    if (attempt != Attempt::solved) return attempt;
  }
  return Attempt::solved;
}

}  // namespace rebasin::sparse
