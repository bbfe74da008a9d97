// The tree of subproblems (Murty 1968; Miller, Stone & Cox 1997).
#pragma once

#include <cstdint>
#include <deque>
#include <queue>
#include <vector>

#include "k_best/grid.hpp"
#include "k_best/search.hpp"
#include "rebasin/interrupt.hpp"

namespace rebasin::k_best {

// Enumerates the assignments of a grid in order of their totals on the grid.
//
// A node is the set of assignments that hold some rows' pairs and avoid some arcs; it keeps its best
// assignment, and duals that prove it. Its other assignments are parted among children (Murty 1968): child t
// holds the pairs of the rows before position t in the node's order, and forbids that of the row at t. Rows
// with the greatest bounds come first, so that the children with the least bounds are the smallest problems
// (Miller, Stone & Cox 1997).
class Tree {
 public:
  // `wanted` bounds how many of the totals found matter; children beyond are dropped.
  Tree(Grid& grid, Search& search, Matching root, std::int64_t wanted, Interrupt& interrupt);

  // The least total that an assignment not yet taken can have; `none`: all were taken that matter, or the
  // interrupt asked to stop.
  static constexpr std::int64_t none = finite;
  std::int64_t next_bound();

  // Takes the assignment with the total next_bound().
  struct Taken {
    std::int64_t total;
    std::vector<std::int32_t> columns;
  };
  Taken take(bool split);

  // Whether the duals of every node that was split were feasible, so that all bounds hold.
  bool proven() const { return proven_; }
  std::int64_t nodes() const { return static_cast<std::int64_t>(nodes_.size()); }

 private:
  struct Arc {
    std::int32_t row;
    std::int32_t column;
  };
  struct Node {
    std::int64_t total = 0;
    Matching matching;
    std::vector<std::int32_t> order;  // rows that are not held; greatest bound first, as far as it was needed
    std::vector<std::int64_t> bounds;  // of the excess of the order's children over this total
    std::vector<Arc> avoided;
  };
  // A child, by its total where `solved`, else by a bound.
  struct Entry {
    std::int64_t key;
    std::int32_t node;  // -1: the root, which has no parent
    std::int32_t position;
    bool solved;
    bool operator<(const Entry& other) const {
      return key != other.key ? key > other.key : solved < other.solved;
    }
  };

  void push_next_child(std::int32_t node, std::int64_t position);
  void solve(const Entry& entry);
  std::int64_t search_child(Node& node, std::int64_t position, std::int64_t most, Matching* child);
  void split_root(Matching matching, std::int64_t total);
  void split_child(const Node& parent, std::int64_t position, Matching matching, std::int64_t total);
  void add(Node node);
  void find_bounds(Node& node);
  void forbid(std::int32_t row, std::int32_t column);
  void forbid(const std::vector<Arc>& arcs);
  void allow_all();
  std::int64_t limit() const;
  void record(std::int64_t total);

  Grid& grid_;
  Search& search_;
  Interrupt& interrupt_;
  Matching root_;
  std::int64_t wanted_;
  bool proven_ = true;
  std::int64_t steps_ = 0;
  std::deque<Node> nodes_;
  std::priority_queue<Entry> open_;
  std::priority_queue<std::int64_t> best_totals_;  // the least `wanted_` that were found, greatest on top
  std::vector<std::int64_t> minima_;
  struct Saved {
    std::int64_t* entry;
    std::int64_t cost;
  };
  std::vector<Saved> saved_;
};

}  // namespace rebasin::k_best
