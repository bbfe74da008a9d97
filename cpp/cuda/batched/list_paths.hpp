// Shortest augmenting paths over the candidate lists, by one warp.
#pragma once

#include <cstdint>

#include "cuda/batched/list_bidding.hpp"

namespace rebasin::cuda {

// The nearest column, or the row whose bound is nearest. Free columns have lower keys than matched ones.
struct Nearest {
  double distance;
  std::int64_t key;
};

struct Nearer {
  REBASIN_HD Nearest operator()(Nearest a, Nearest b) const {
    if (a.distance != b.distance) return a.distance < b.distance ? a : b;
    return a.key < b.key ? a : b;
  }
};

// Dijkstra's search from a free row. Each row in the tree offers its list, and is read whole only when its
// bound comes up as the nearest thing there is.
template <class Warp, class T>
class ListPaths {
 public:
  REBASIN_HD ListPaths(Warp& warp, const CostMatrix<T>& costs, const Grid& grid, ProblemMemory<T>& state)
      : warp_(warp), costs_(costs), grid_(grid), state_(state) {}

  REBASIN_HD Attempt augment(std::int32_t root) {
    begin();
    enter(root, 0.0);
    for (;;) {
      const Nearest bound = nearest_bound();
      const Nearest column = nearest_column();
      if (bound.distance < column.distance) {
        read_whole(static_cast<std::int32_t>(bound.key));
        continue;
      }
      if (!(column.distance < infinity)) return Attempt::infeasible;
      if (column.distance > grid_.limit) return Attempt::declined;
      const bool is_free = column.key < costs_.columns;
      const std::int64_t j = is_free ? column.key : column.key - costs_.columns;
      if (is_free) return finish(static_cast<std::int32_t>(j), column.distance, root);
      const std::int32_t row = state_.row_of[j];
      const double offset = column.distance - (state_.pair_cost[row] - state_.v[j]);
      warp_.sync();
      if (warp_.rank() == 0) state_.closed[j] = 1;
      enter(row, offset);
    }
  }

 private:
  REBASIN_HD void begin() {
    warp_.sync();
    for (std::int64_t j = warp_.rank(); j < costs_.columns; j += warp_.size()) {
      state_.open[j] = infinity;
      state_.closed[j] = 0;
    }
    in_tree_ = 0;
    warp_.sync();
  }

  // Adds a row to the tree; a path through it to column j is offset + c - v long.
  REBASIN_HD void enter(std::int32_t row, double offset) {
    if (warp_.rank() == 0) {
      state_.tree[in_tree_] = row;
      state_.offset[row] = offset;
    }
    ++in_tree_;
    warp_.sync();
    for (int place = warp_.rank(); place < list_capacity; place += warp_.size()) {
      const std::int64_t at = std::int64_t{row} * list_capacity + place;
      const double cost = grid_.round(static_cast<double>(state_.list_cost[at]));
      // Columns of a list differ but for its padding, which reaches nowhere.
      if (cost < infinity) offer(row, state_.list_column[at], offset, cost);
    }
    warp_.sync();
  }

  REBASIN_HD void offer(std::int32_t row, std::int64_t column, double offset, double cost) {
    const double distance = offset + (cost - state_.v[column]);
    if (state_.closed[column] != 0 || !(distance < state_.open[column])) return;
    state_.open[column] = distance;
    state_.from[column] = row;
  }

  REBASIN_HD void read_whole(std::int32_t place) {
    const std::int32_t row = state_.tree[place];
    const double offset = state_.offset[row];
    for (std::int64_t j = warp_.rank(); j < costs_.columns; j += warp_.size()) {
      const double cost = grid_.round(costs_.at(row, j));
      if (cost < infinity) offer(row, j, offset, cost);
    }
    warp_.sync();
    if (warp_.rank() == 0) state_.tree[place] = ~row;
    warp_.sync();
  }

  REBASIN_HD Nearest nearest_bound() {
    Nearest nearest{infinity, 0};
    for (std::int32_t place = warp_.rank(); place < in_tree_; place += warp_.size()) {
      const std::int32_t row = state_.tree[place];
      if (row >= 0) nearest = Nearer()(nearest, {state_.offset[row] + state_.bound[row], place});
    }
    return warp_.reduce(nearest, Nearer());
  }

  REBASIN_HD Nearest nearest_column() {
    Nearest nearest{infinity, 2 * costs_.columns};
    for (std::int64_t j = warp_.rank(); j < costs_.columns; j += warp_.size()) {
      if (state_.closed[j] != 0 || state_.open[j] > nearest.distance) continue;
      nearest = Nearer()(nearest, {state_.open[j], state_.row_of[j] == nobody ? j : costs_.columns + j});
    }
    return warp_.reduce(nearest, Nearer());
  }

  REBASIN_HD Attempt finish(std::int32_t column, double reached, std::int32_t root) {
    int beyond = 0;
    for (std::int64_t j = warp_.rank(); j < costs_.columns; j += warp_.size()) {
      if (state_.closed[j] == 0) continue;
      state_.v[j] += state_.open[j] - reached;
      beyond |= state_.v[j] < -grid_.limit / 2 ? 1 : 0;
    }
    if (warp_.reduce(beyond, Max()) != 0) return Attempt::declined;
    if (warp_.rank() == 0) augment_along_path(column, root);
    warp_.sync();
    return Attempt::solved;
  }

  REBASIN_HD void augment_along_path(std::int32_t column, std::int32_t root) {
    for (;;) {
      const std::int32_t row = state_.from[column];
      const std::int32_t next = state_.column_of[row];
      state_.column_of[row] = column;
      state_.row_of[column] = row;
      state_.pair_cost[row] = grid_.round(costs_.at(row, column));
      if (row == root) return;
      column = next;
    }
  }

  Warp& warp_;
  const CostMatrix<T>& costs_;
  const Grid& grid_;
  ProblemMemory<T>& state_;
  std::int32_t in_tree_ = 0;
};

}  // namespace rebasin::cuda
