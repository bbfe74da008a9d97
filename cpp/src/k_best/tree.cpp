#include "k_best/tree.hpp"

#include <algorithm>
#include <utility>

namespace rebasin::k_best {

// The clock costs as much as a short search.
constexpr std::int64_t steps_between_polls = 32;

Tree::Tree(Grid& grid, Search& search, Matching root, std::int64_t wanted, Interrupt& interrupt)
    : grid_(grid),
      search_(search),
      interrupt_(interrupt),
      root_(std::move(root)),
      wanted_(wanted),
      minima_(grid.stride) {
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < grid.rows; ++i) total += grid.row(i)[root_.column[i]];
  open_.push({total, -1, 0, true});
  record(total);
}

std::int64_t Tree::next_bound() {
  while (!open_.empty() && !open_.top().solved) {
    if (++steps_ % steps_between_polls == 0 && interrupt_.requested()) return none;
    const Entry entry = open_.top();
    open_.pop();
    solve(entry);
  }
  return open_.empty() ? none : open_.top().key;
}

Tree::Taken Tree::take(bool split) {
  const Entry entry = open_.top();
  open_.pop();
  Taken taken{.total = entry.key, .columns = {}};
  if (entry.node < 0) {
    taken.columns = root_.column;
    if (split) split_root(std::move(root_), entry.key);
    return taken;
  }
  Node& parent = nodes_[entry.node];
  Matching matching;
  search_child(parent, entry.position, finite, &matching);
  taken.columns = matching.column;
  if (split) split_child(parent, entry.position, std::move(matching), entry.key);
  return taken;
}

// Totals from which a child does not matter: `wanted` assignments are better, for any rounding.
std::int64_t Tree::limit() const {
  if (static_cast<std::int64_t>(best_totals_.size()) < wanted_) return 2 * finite;
  return best_totals_.top() + grid_.slack + 1;
}

void Tree::record(std::int64_t total) {
  best_totals_.push(total);
  if (static_cast<std::int64_t>(best_totals_.size()) > wanted_) best_totals_.pop();
}

// Puts the child with the least bound of those before `position` there, and its bound in the queue. The
// order of the rows before it does not matter: the child holds all of them.
void Tree::push_next_child(std::int32_t node, std::int64_t position) {
  if (position < 0) return;
  Node& parent = nodes_[node];
  const auto first = parent.bounds.begin();
  const std::int64_t least = std::min_element(first, first + position + 1) - first;
  std::swap(parent.bounds[least], parent.bounds[position]);
  std::swap(parent.order[least], parent.order[position]);
  const std::int64_t bound = parent.bounds[position];
  if (bound >= finite || parent.total + bound >= limit()) return;
  open_.push({parent.total + bound, node, static_cast<std::int32_t>(position), false});
}

void Tree::solve(const Entry& entry) {
  push_next_child(entry.node, entry.position - 1);
  Node& parent = nodes_[entry.node];
  const std::int64_t most = limit();
  const std::int64_t more =
      search_child(parent, entry.position, std::min(finite, most - parent.total), nullptr);
  if (more >= finite) return;
  open_.push({parent.total + more, entry.node, entry.position, true});
  record(parent.total + more);
}

// The excess of the child's best total over its parent's, `finite` where there is none below `most`; with
// `child` also its matching and duals.
std::int64_t Tree::search_child(Node& node, std::int64_t position, std::int64_t most, Matching* child) {
  const std::int32_t row = node.order[position];
  const std::int32_t column = node.matching.column[row];
  const std::int64_t u = grid_.row(row)[column] - node.matching.v[column];
  forbid(node.avoided);
  forbid(row, column);
  node.matching.owner[column] = no_row;
  search_.begin(node.matching);
  for (std::int64_t k = 0; k < position; ++k) search_.remove_column(node.matching.column[node.order[k]]);
  const std::int64_t more = search_.run(node.matching, row, u, most);
  if (child != nullptr && more < finite) {
    *child = node.matching;
    search_.augment(*child);
  }
  node.matching.owner[column] = row;
  allow_all();
  return more;
}

void Tree::split_root(Matching matching, std::int64_t total) {
  Node node;
  node.total = total;
  node.matching = std::move(matching);
  node.order.resize(grid_.rows);
  for (std::int64_t i = 0; i < grid_.rows; ++i) node.order[i] = static_cast<std::int32_t>(i);
  add(std::move(node));
}

void Tree::split_child(const Node& parent, std::int64_t position, Matching matching, std::int64_t total) {
  Node node;
  node.total = total;
  node.matching = std::move(matching);
  node.order.assign(parent.order.begin() + position, parent.order.end());
  for (std::int64_t k = 0; k < position; ++k) {
    node.matching.v[node.matching.column[parent.order[k]]] = -forbidden;
  }
  const std::int32_t row = parent.order[position];
  for (const Arc arc : parent.avoided) {
    const bool held = node.matching.v[node.matching.column[arc.row]] == -forbidden;
    if (!held) node.avoided.push_back(arc);
  }
  node.avoided.push_back({row, parent.matching.column[row]});
  add(std::move(node));
}

void Tree::add(Node node) {
  find_bounds(node);
  const auto last = static_cast<std::int64_t>(node.order.size()) - 1;
  nodes_.push_back(std::move(node));
  push_next_child(static_cast<std::int32_t>(nodes_.size()) - 1, last);
}

// A row that loses its column takes another, and another row takes that column: the least reduced costs
// of both arcs bound the length of the path. Also proves the node's duals: none may be below zero.
void Tree::find_bounds(Node& node) {
  const simd::IntegerKernels& kernel = simd::active().integer;
  const Matching& matching = node.matching;
  node.bounds.resize(node.order.size());
  std::fill(minima_.begin(), minima_.end(), forbidden);
  forbid(node.avoided);
  for (std::size_t k = 0; k < node.order.size(); ++k) {
    const std::int32_t row = node.order[k];
    const std::int32_t column = matching.column[row];
    const std::int64_t u = grid_.row(row)[column] - matching.v[column];
    forbid(row, column);
    node.bounds[k] = kernel.reduce(grid_.row(row), matching.v.data(), u, minima_.data(), grid_.stride);
    proven_ = proven_ && node.bounds[k] >= 0;
  }
  const auto unmatched = std::find(matching.owner.begin(), matching.owner.end(), grid_.rows);
  if (unmatched != matching.owner.end()) {
    const std::int64_t u = -matching.v[unmatched - matching.owner.begin()];
    proven_ = proven_ &&
              kernel.reduce(grid_.row(grid_.rows), matching.v.data(), u, minima_.data(), grid_.stride) >= 0;
  }
  for (std::size_t k = 0; k < node.order.size(); ++k) {
    const std::int64_t into = minima_[matching.column[node.order[k]]];
    node.bounds[k] = node.bounds[k] >= finite || into >= finite ? finite : node.bounds[k] + into;
  }
  allow_all();
}

void Tree::forbid(std::int32_t row, std::int32_t column) {
  std::int64_t* entry = grid_.row(row) + column;
  saved_.push_back({entry, *entry});
  *entry = forbidden;
}

void Tree::forbid(const std::vector<Arc>& arcs) {
  for (const Arc arc : arcs) forbid(arc.row, arc.column);
}

void Tree::allow_all() {
  while (!saved_.empty()) {
    *saved_.back().entry = saved_.back().cost;
    saved_.pop_back();
  }
}

}  // namespace rebasin::k_best
