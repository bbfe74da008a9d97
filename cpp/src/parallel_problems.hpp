// Independent problems on a few threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
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
  std::atomic<int> helpers_ready{0};
  std::atomic<bool> begun{false};
  std::atomic<bool> stopped{false};
};

inline bool queue_is_stopped(void* queue) {
  return static_cast<ProblemQueue*>(queue)->stopped.load(std::memory_order_relaxed);
}

// The first exception of a thread takes memory for the thread's state of exceptions, and where there is none
// the C library ends the process: not even bad_alloc could be thrown. Each helper takes that memory out of a
// block that was set aside for it, and none works before all have; the caller's thread has it from its
// binding.
class ExceptionMemory {
 public:
  ExceptionMemory() : reserve_(std::make_unique_for_overwrite<char[]>(block)) {}

  void take() {
    reserve_.reset();
    taken_ = std::current_exception();
  }

 private:
  static constexpr std::size_t block = 1 << 14;
  std::unique_ptr<char[]> reserve_;
  std::exception_ptr taken_;
};

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
  const std::int64_t wanted = std::min<std::int64_t>(threads, count) - 1;
  std::vector<ExceptionMemory> memory;
  std::vector<std::thread> helpers;
  // Where there is no memory for more of them, fewer threads do the same work.
  const auto start_helpers = [&] {
    try {
      memory = std::vector<ExceptionMemory>(static_cast<std::size_t>(std::max<std::int64_t>(wanted, 0)));
      helpers.reserve(memory.size());
      for (ExceptionMemory& own_memory : memory) {
        helpers.emplace_back([&work, &queue, &own_memory] {
          own_memory.take();
          ++queue.helpers_ready;
          queue.begun.wait(false);
          Interrupt own(queue_is_stopped, &queue);
          work(own);
          --queue.helpers_at_work;
        });
      }
    } catch (const std::system_error&) {
      return;
    } catch (const std::bad_alloc&) {
      return;
    }
  };
  start_helpers();
  const auto started = static_cast<int>(helpers.size());
  queue.helpers_at_work = started;
  while (queue.helpers_ready < started) std::this_thread::yield();
  queue.begun = true;
  queue.begun.notify_all();
  work(interrupt);
  // The last problems may be long ones, and this thread alone polls the caller's interrupt.
  while (queue.helpers_at_work > 0) {
    if (interrupt.requested()) queue.stopped = true;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace rebasin
