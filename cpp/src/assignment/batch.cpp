#include <algorithm>
#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "rebasin/assignment.hpp"

namespace rebasin {
namespace {

// Shared by the threads of one call.
struct Queue {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> stopped{false};
};

bool is_stopped(void* queue) {
  return static_cast<Queue*>(queue)->stopped.load(std::memory_order_relaxed);
}

}  // namespace

void solve_assignments(const AnyCostView* costs, const WarmStart* warm_starts, std::int64_t count,
                       AssignmentSolution* solutions, Status* statuses, int threads, Interrupt& interrupt) {
  Queue queue;
  const auto work = [&](Interrupt& heard) {
    for (std::int64_t k = queue.next++; k < count; k = queue.next++) {
      if (heard.requested()) queue.stopped = true;
      statuses[k] = queue.stopped ? Status::interrupted
                                  : solve_assignment(costs[k], solutions[k], heard,
                                                     warm_starts == nullptr ? nullptr : warm_starts + k);
      if (statuses[k] == Status::interrupted) queue.stopped = true;
    }
  };
  std::vector<std::thread> helpers;
  const std::int64_t wanted = std::min<std::int64_t>(threads, count) - 1;
  for (std::int64_t k = 0; k < wanted; ++k) {
    try {
      helpers.emplace_back([&work, &queue] {
        Interrupt heard(is_stopped, &queue);
        work(heard);
      });
    } catch (const std::system_error&) {
      break;  // fewer threads do the same work
    } catch (const std::bad_alloc&) {
      break;
    }
  }
  work(interrupt);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace rebasin
