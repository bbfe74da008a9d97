// The priority queue of the path searches.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

namespace rebasin::assignment {

// Events by distance, the nearest first; at equal distance that of the least id.
template <class Distance, class Id>
class EventQueue {
 public:
  struct Event {
    Distance distance;
    Id id;

    bool operator>(const Event& other) const {
      return distance != other.distance ? distance > other.distance : id > other.id;
    }
  };

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
