// Independent problems on a few threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// Shared by the threads of one call.
struct ProblemQueue {
  std::atomic<std::int64_t> next{0};
  std::atomic<int> helpers_at_work{0};
  std::atomic<bool> stopped{false};
};

inline bool queue_is_stopped(void* queue) {
  return static_cast<ProblemQueue*>(queue)->stopped.load(std::memory_order_relaxed);
}

// Calls make_solver() once a thread, and its result as Status(k, interrupt) for each k < count; stores the
// statuses. The first problem that is interrupted stops the others.
template <class MakeSolver>
void solve_on_threads(std::int64_t count, int threads, Status* statuses, Interrupt& interrupt,
                      const MakeSolver& make_solver) {
  ProblemQueue queue;
  queue.stopped = interrupt.requested();
  const auto work = [&](Interrupt& own) {
    auto solver = make_solver();
    for (std::int64_t k = queue.next++; k < count; k = queue.next++) {
      if (own.requested()) queue.stopped = true;
      statuses[k] = queue.stopped ? Status::interrupted : solver(k, own);
      if (statuses[k] == Status::interrupted) queue.stopped = true;
    }
  };
  std::vector<std::thread> helpers;
  const std::int64_t wanted = std::min<std::int64_t>(threads, count) - 1;
  for (std::int64_t k = 0; k < wanted; ++k) {
    try {
      ++queue.helpers_at_work;
      helpers.emplace_back([&work, &queue] {
        Interrupt own(queue_is_stopped, &queue);
        work(own);
        --queue.helpers_at_work;
      });
    } catch (const std::system_error&) {
      --queue.helpers_at_work;
      break;  // fewer threads do the same work
    } catch (const std::bad_alloc&) {
      --queue.helpers_at_work;
      break;
    }
  }
  work(interrupt);
  // The last problems may be long ones, and this thread alone polls the caller's interrupt.
  while (queue.helpers_at_work > 0) {
    if (interrupt.requested()) queue.stopped = true;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace rebasin
