// The queue of the path search on candidate lists.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace rebasin::assignment {

// A column, or the sentinel of a row, at a distance from the root. At equal distance free columns come first,
// matched ones next, sentinels last.
struct Event {
  double distance;
  std::int64_t id;  // column if free, columns + column if matched, 2 columns + row for a sentinel

  bool operator>(const Event& other) const {
    return distance != other.distance ? distance > other.distance : id > other.id;
  }
};

// The nearest event first.
class EventQueue {
 public:
  bool empty() const { return events_.empty(); }
  void clear() { events_.clear(); }

  void push(Event event) {
    events_.push_back(event);
    std::push_heap(events_.begin(), events_.end(), std::greater<>());
  }

  Event pop() {
    std::pop_heap(events_.begin(), events_.end(), std::greater<>());
    const Event event = events_.back();
    events_.pop_back();
    return event;
  }

 private:
  std::vector<Event> events_;
};

}  // namespace rebasin::assignment
