// Shortest augmenting paths on a sparse graph, in exact integers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "assignment/exact/node_queue.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin::assignment {

// Slacks >= 0 of the entries of a sparse matrix, in one unit; a row more than the problem has stands for all
// the rows of zeros that would make a rectangle square.
template <class S>
struct SlackGraph {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<std::int64_t> start;
  std::vector<std::int32_t> column;
  std::vector<S> slack;

  bool square() const { return rows == columns; }
};

// Finds the assignment of least total slack, given one whose entries are all in the graph and which stands
// where its slack is zero; the remaining rows are matched by Dijkstra's algorithm, one after the other
// (Jonker & Volgenant 1987). S is an integer type with room for 32 times the total slack of the assignment
// given and for every slack. O(rows * entries * log(columns)) at worst.
template <class S>
class ExactPaths {
 public:
  ExactPaths(const SlackGraph<S>& graph, std::vector<std::int64_t> column_of,
             std::vector<std::int64_t> row_of)
      : graph_(graph),
        filler_(graph.rows),
        filler_node_(static_cast<std::int32_t>(graph.columns)),
        column_of_(std::move(column_of)),
        row_of_(std::move(row_of)),
        raised_(static_cast<std::size_t>(graph.rows) + 1),
        lowered_(graph.columns),
        queue_(static_cast<std::size_t>(graph.columns) + 1),
        from_(static_cast<std::size_t>(graph.columns) + 1, -1) {}

  Status solve(Interrupt& interrupt) {
    const std::vector<std::int64_t> sources = release_slack_pairs();
    for (const std::int64_t row : sources) {
      const Status status = search(row, interrupt);
      if (status != Status::ok) return status;
    }
    for (std::size_t j = 0; j < row_of_.size(); ++j) {
      if (row_of_[j] == filler_) lowered_[j] += raised_.back();
    }
    return Status::ok;
  }

  // Of the filling rows: columns that they hold have row_of == rows.
  const std::vector<std::int64_t>& column_of() const { return column_of_; }
  const std::vector<std::int64_t>& row_of() const { return row_of_; }
  const S& raised(std::int64_t row) const { return raised_[row]; }
  const S& lowered(std::int64_t column) const { return lowered_[column]; }
  const S& filler_raised() const { return raised_.back(); }

 private:
  static constexpr std::int32_t nowhere = -1;
  static constexpr std::int64_t free = -1;

  // Frees the rows whose pair is not tight, and as many filling rows as unmatched columns are not. While the
  // filling rows hold a column, its lowering counts from their raising.
  std::vector<std::int64_t> release_slack_pairs() {
    std::vector<std::int64_t> sources;
    if (!graph_.square()) {
      std::int64_t held = 0;
      for (std::int64_t k = graph_.start[filler_]; k < graph_.start[filler_ + 1]; ++k) {
        std::int64_t& holder = row_of_[graph_.column[k]];
        if (holder != free || !(graph_.slack[k] == S{})) continue;
        holder = filler_;
        ++held;
      }
      sources.assign(graph_.columns - graph_.rows - held, filler_);
    }
    for (std::int64_t row = 0; row < graph_.rows; ++row) {
      const std::int64_t column = column_of_[row];
      if (slack_of(row, column) == S{}) continue;
      column_of_[row] = free;
      row_of_[column] = free;
      sources.push_back(row);
    }
    return sources;
  }

  Status search(std::int64_t source, Interrupt& interrupt) {
    constexpr int scans_between_polls = 16;
    queue_.clear();
    scanned_.clear();
    found_ = nowhere;
    if (source == filler_) {
      queue_.close(filler_node_, S{});
      scanned_.push_back(filler_node_);
    }
    S reached{};
    std::int64_t row = source;
    for (int scans = 1;; ++scans) {
      if (scans % scans_between_polls == 0 && interrupt.requested()) return Status::interrupted;
      scan(row, reached);
      if (found_ != nowhere) break;
      if (queue_.empty()) return Status::infeasible;
      const std::int32_t node = queue_.pop();
      reached = queue_.distance(node);
      if (node != filler_node_ && row_of_[node] == free) {
        found_ = node;
        break;
      }
      scanned_.push_back(node);
      row = node == filler_node_ ? filler_ : row_of_[node];
    }
    move_duals(source, reached);
    augment(source);
    return Status::ok;
  }

  // Offers each column the path through `row`; a free column no further than the row itself ends the search.
  void scan(std::int64_t row, const S& reached) {
    const S base = reached - raised_[row];
    for (std::int64_t k = graph_.start[row]; k < graph_.start[row + 1]; ++k) {
      const std::int32_t column = graph_.column[k];
      const std::int64_t holder = row_of_[column];
      const bool filled = holder == filler_;
      if (filled && row == filler_) continue;
      const std::int32_t node = filled ? filler_node_ : column;
      if (queue_.closed(node)) continue;
      S offered = base + graph_.slack[k];
      offered += lowered_[column];
      if (filled) offered += raised_.back();
      const bool ends = holder == free && !(reached < offered);
      if (!queue_.lower(node, offered)) continue;
      from_[node] = row;
      if (filled) entered_ = column;
      if (ends) {
        found_ = node;
        return;
      }
    }
  }

  void move_duals(std::int64_t source, const S& reached) {
    if (source != filler_) raised_[source] += reached;
    for (const std::int32_t node : scanned_) {
      const S step = reached - queue_.distance(node);
      if (node == filler_node_) {
        raised_.back() += step;
      } else {
        lowered_[node] += step;
        raised_[row_of_[node]] += step;
      }
    }
  }

  void augment(std::int64_t source) {
    std::int64_t column = found_;
    for (;;) {
      std::int64_t row = from_[column];
      if (row == filler_) {
        row_of_[column] = filler_;
        lowered_[column] -= raised_.back();
        if (source == filler_) return;
        column = entered_;
        lowered_[column] += raised_.back();
        row = from_[filler_node_];
      }
      const std::int64_t next = column_of_[row];
      column_of_[row] = column;
      row_of_[column] = row;
      if (row == source) return;
      column = next;
    }
  }

  S slack_of(std::int64_t row, std::int64_t column) const {
    const auto first = graph_.column.begin() + graph_.start[row];
    const auto last = graph_.column.begin() + graph_.start[row + 1];
    return graph_.slack[std::lower_bound(first, last, column) - graph_.column.begin()];
  }

  const SlackGraph<S>& graph_;
  std::int64_t filler_;       // the row that stands for the rows of zeros
  std::int32_t filler_node_;  // all columns that it holds, which are equally near
  std::vector<std::int64_t> column_of_;
  std::vector<std::int64_t> row_of_;
  std::vector<S> raised_;   // per row, and of the filling rows
  std::vector<S> lowered_;  // per column
  NodeQueue<S> queue_;
  std::vector<std::int64_t> from_;  // per node: the row before it on its path
  std::vector<std::int32_t> scanned_;
  std::int64_t entered_ = -1;  // the column through which the path enters filler_node_
  std::int32_t found_ = nowhere;
};

}  // namespace rebasin::assignment
