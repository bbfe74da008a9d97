// The priority queue of the exact path search, whose distances can fall.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace rebasin::assignment {

// A binary heap of nodes by distance, with the place of each node in it.
template <class S>
class NodeQueue {
 public:
  explicit NodeQueue(std::size_t nodes) : distance_(nodes), place_(nodes, unseen) {}

  bool empty() const { return heap_.empty(); }
  bool closed(std::int32_t node) const { return place_[node] == done; }
  const S& distance(std::int32_t node) const { return distance_[node]; }

  void clear() {
    for (const std::int32_t node : seen_) place_[node] = unseen;
    seen_.clear();
    heap_.clear();
  }

  // Takes a node that was not reached yet out of the search.
  void close(std::int32_t node, S distance) {
    place_[node] = done;
    distance_[node] = std::move(distance);
    seen_.push_back(node);
  }

  // Adds a node, or lowers its distance; false where it was as near before.
  bool lower(std::int32_t node, const S& distance) {
    std::int32_t& place = place_[node];
    if (place != unseen && !(distance < distance_[node])) return false;
    distance_[node] = distance;
    if (place == unseen) {
      seen_.push_back(node);
      place = static_cast<std::int32_t>(heap_.size());
      heap_.push_back(node);
    }
    rise(place);
    return true;
  }

  // The nearest node, which is closed.
  std::int32_t pop() {
    const std::int32_t top = heap_.front();
    place_[top] = done;
    const std::int32_t last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink(last);
    return top;
  }

 private:
  static constexpr std::int32_t unseen = -1;
  static constexpr std::int32_t done = -2;

  bool nearer(std::int32_t a, std::int32_t b) const { return distance_[a] < distance_[b]; }

  void rise(std::int32_t at) {
    const std::int32_t node = heap_[at];
    while (at > 0) {
      const std::int32_t parent = (at - 1) / 2;
      if (!nearer(node, heap_[parent])) break;
      put(at, heap_[parent]);
      at = parent;
    }
    put(at, node);
  }

  void sink(std::int32_t node) {
    const auto size = static_cast<std::int32_t>(heap_.size());
    std::int32_t at = 0;
    for (;;) {
      std::int32_t child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && nearer(heap_[child + 1], heap_[child])) ++child;
      if (!nearer(heap_[child], node)) break;
      put(at, heap_[child]);
      at = child;
    }
    put(at, node);
  }

  void put(std::int32_t at, std::int32_t node) {
    heap_[at] = node;
    place_[node] = at;
  }

  std::vector<S> distance_;
  std::vector<std::int32_t> place_;  // per node: where it is in the heap
  std::vector<std::int32_t> heap_;
  std::vector<std::int32_t> seen_;
};

}  // namespace rebasin::assignment
