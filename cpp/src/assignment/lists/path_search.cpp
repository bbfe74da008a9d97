#include <algorithm>
#include <limits>

#include "assignment/event_queue.hpp"
#include "assignment/lists/stages.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int32_t none = -1;

template <class T>
class PathSearch {
 public:
  explicit PathSearch(ListState<T>& state)
      : state_(state),
        open_(state.duals.v.size(), infinity),
        from_(state.duals.v.size(), none),
        offset_(state.rows, 0.0) {}

  Attempt run(std::int32_t free_row, Interrupt& interrupt) {
    clear(free_row);
    enter(free_row, 0.0);
    while (!events_.empty()) {
      const auto event = events_.pop();
      if (event.id >= 2 * state_.columns) {
        const auto row = static_cast<std::int32_t>(event.id - 2 * state_.columns);
        if (interrupt.requested()) return Attempt::interrupted;
        if (++refills_ > refill_allowance + static_cast<std::int64_t>(tree_rows_.size()) || !extend(row)) {
          return run_dense(interrupt);
        }
        continue;
      }
      const bool is_free = event.id < state_.columns;
      const auto column = static_cast<std::int32_t>(is_free ? event.id : event.id - state_.columns);
      if (event.distance > open_[column]) continue;
      if (is_free) return finish(column, event.distance);
      if (state_.over_budget()) return Attempt::out_of_budget;
      scan(column, event.distance);
    }
    return Attempt::declined;
  }

  Attempt run_over_rows(std::int32_t free_row, Interrupt& interrupt) {
    clear(free_row);
    offset_[free_row] = 0.0;
    tree_rows_.push_back(free_row);
    return run_dense(interrupt);
  }

 private:
  // A rebuilt list costs about as much as a dense step, but the row keeps it.
  static constexpr std::int64_t refill_allowance = 32;

  void clear(std::int32_t free_row) {
    for (const std::int32_t column : touched_) open_[column] = infinity;
    touched_.clear();
    events_.clear();
    scanned_.clear();
    tree_rows_.clear();
    refills_ = 0;
    nearest_free_ = infinity;
    root_ = free_row;
  }

  // Adds a row to the tree; a path through it to column j is offset + c - v long.
  void enter(std::int32_t row, double offset) {
    ++state_.counters.scanned_rows;
    offset_[row] = offset;
    tree_rows_.push_back(row);
    offer_list(row);
  }

  void offer_list(std::int32_t row) {
    const simd::Record<T>& record = state_.lists.records[row];
    const double offset = offset_[row];
    for (int group = 0; group < simd::record_groups; ++group) {
      if (offset + record.group_bound[group] >= nearest_free_) break;
      for (int k = group * 8; k < group * 8 + 8; ++k) {
        const std::int32_t column = record.column[k];
        const double cost = state_.duals.grid.round(static_cast<double>(record.cost[k]));
        const double distance = offset + (cost - state_.duals.v[column]);
        if (distance < open_[column] && distance < nearest_free_) reach(column, distance, row);
      }
    }
    if (offset + record.bound < nearest_free_)
      events_.push({offset + record.bound, 2 * state_.columns + row});
  }

  void reach(std::int32_t column, double distance, std::int32_t row) {
    if (!(open_[column] < infinity)) touched_.push_back(column);
    open_[column] = distance;
    from_[column] = row;
    const bool is_free = state_.matching.row_of[column] == unassigned;
    if (is_free) nearest_free_ = distance;
    events_.push({distance, is_free ? column : state_.columns + column});
  }

  // Rebuilds a row's list, which must then reach further.
  bool extend(std::int32_t row) {
    const double before = state_.lists.records[row].bound;
    if (!rebuild_list(state_, row) || !(state_.lists.records[row].bound > before)) return false;
    offer_list(row);
    return true;
  }

  // The matched column is the nearest: its row joins the tree.
  void scan(std::int32_t column, double distance) {
    // The column stays closed, as no later path is shorter.
    scanned_.push_back({column, distance});
    const std::int32_t row = state_.matching.row_of[column];
    enter(row, distance - (state_.matching.pair_cost[row] - state_.duals.v[column]));
  }

  Attempt finish(std::int32_t column, double distance) {
    const double lowest = -state_.duals.grid.limit / 2;
    for (const Scanned& tree : scanned_) {
      const double dual = state_.duals.v[tree.column] + (tree.distance - distance);
      if (dual < lowest) return Attempt::declined;
      state_.duals.set(tree.column, dual);
    }
    for (;;) {
      const std::int32_t row = from_[column];
      const std::int32_t next = state_.matching.column_of[row];
      state_.matching.assign(row, column, state_.duals.grid.round(state_.costs.at(row, column)));
      if (row == root_) return Attempt::solved;
      column = next;
    }
  }

  // Goes on from the same tree over whole rows.
  Attempt run_dense(Interrupt& interrupt) {
    ++state_.counters.dense_searches;
    std::vector<double> w = state_.duals.v;
    for (const Scanned& tree : scanned_) {
      w[tree.column] = -infinity;
      open_[tree.column] = infinity;
    }
    double nearest = infinity;
    for (const std::int32_t row : tree_rows_) nearest = relax(row, w);
    const Attempt attempt = grow_dense(w, nearest, interrupt);
    std::fill(open_.begin(), open_.end(), infinity);
    touched_.clear();
    return attempt;
  }

  Attempt grow_dense(std::vector<double>& w, double nearest, Interrupt& interrupt) {
    for (;;) {
      if (interrupt.requested()) return Attempt::interrupted;
      if (state_.over_budget()) return Attempt::out_of_budget;
      if (!(nearest < infinity)) return Attempt::declined;
      const std::int32_t column = find_nearest(nearest);
      const std::int32_t row = state_.matching.row_of[column];
      if (row == unassigned) return finish(column, nearest);
      scanned_.push_back({column, nearest});
      open_[column] = infinity;
      w[column] = -infinity;
      offset_[row] = nearest - (state_.matching.pair_cost[row] - state_.duals.v[column]);
      ++state_.counters.scanned_rows;
      nearest = relax(row, w);
    }
  }

  double relax(std::int32_t row, const std::vector<double>& w) {
    state_.counters.entries_read += state_.columns;
    return state_.kernels.relax(state_.costs.row(row, state_.buffer.data()), state_.sign_mask,
                                state_.duals.grid.magic, offset_[row], state_.columns, w.data(), row,
                                open_.data(), from_.data());
  }

  // A column at distance `nearest`, free if one is.
  std::int32_t find_nearest(double nearest) const {
    constexpr std::int64_t together = 8;  // `open_` is padded to whole blocks
    std::int32_t found = none;
    for (std::int64_t first = 0; first < state_.columns; first += together) {
      bool here = false;
      for (std::int64_t k = 0; k < together; ++k) here |= open_[first + k] == nearest;
      if (!here) continue;
      for (std::int64_t j = first; j < std::min(first + together, state_.columns); ++j) {
        if (open_[j] != nearest) continue;
        found = static_cast<std::int32_t>(j);
        if (state_.matching.row_of[j] == unassigned) return found;
      }
    }
    return found;
  }

  struct Scanned {
    std::int32_t column;
    double distance;
  };

  ListState<T>& state_;
  std::vector<double> open_;  // distance of each column reached; +inf if not, or if scanned in a dense search
  std::vector<std::int32_t> from_;
  std::vector<double> offset_;
  // A column, or the sentinel of a row: column if free, columns + column if matched, 2 columns + row. At
  // equal distance free columns come first, sentinels last.
  EventQueue<double, std::int64_t> events_;
  std::vector<std::int32_t> touched_;
  std::vector<Scanned> scanned_;
  std::vector<std::int32_t> tree_rows_;
  std::int32_t root_ = none;
  double nearest_free_ = infinity;
  std::int64_t refills_ = 0;
};

// `run(search, row)` for every free row.
template <class T, class Run>
Attempt match_free_rows(ListState<T>& state, const Run& run) {
  std::vector<std::int32_t>& free_rows = state.matching.free_rows;
  if (free_rows.empty()) return Attempt::solved;
  PathSearch<T> search(state);
  for (const std::int32_t row : free_rows) {
    ++state.counters.augmentations;
    if (state.over_budget()) return Attempt::out_of_budget;
    const Attempt attempt = run(search, row);
    if (attempt != Attempt::solved) return attempt;
  }
  free_rows.clear();
  return Attempt::solved;
}

}  // namespace

template <class T>
Attempt search_paths(ListState<T>& state, Interrupt& interrupt) {
  return match_free_rows(state,
                         [&](PathSearch<T>& search, std::int32_t row) { return search.run(row, interrupt); });
}

template <class T>
Attempt search_paths_over_rows(ListState<T>& state, Interrupt& interrupt) {
  return match_free_rows(
      state, [&](PathSearch<T>& search, std::int32_t row) { return search.run_over_rows(row, interrupt); });
}

template Attempt search_paths_over_rows<float>(ListState<float>&, Interrupt&);
template Attempt search_paths_over_rows<double>(ListState<double>&, Interrupt&);
template Attempt search_paths<float>(ListState<float>&, Interrupt&);
template Attempt search_paths<double>(ListState<double>&, Interrupt&);

}  // namespace rebasin::assignment
