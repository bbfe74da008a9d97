// Problems of a batch on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// statuses[k] = solve(k, interrupt) for each k < count. Threads take the next problem from a shared counter;
// each has an interrupt of its own, which hears that of the caller.
template <class Solve>
void solve_in_parallel(std::int64_t count, int threads, Status* statuses, Interrupt& interrupt,
                       const Solve& solve) {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> stopped{false};
  const auto work = [&](Interrupt& heard) {
    for (std::int64_t k = next++; k < count; k = next++) {
      if (heard.requested()) stopped = true;
      statuses[k] = stopped ? Status::interrupted : solve(k, heard);
      if (statuses[k] == Status::interrupted) stopped = true;
    }
  };
  std::vector<std::thread> helpers;
  const std::int64_t wanted = std::min<std::int64_t>(threads, count) - 1;
  for (std::int64_t k = 0; k < wanted; ++k) {
    try {
      helpers.emplace_back([&work, &stopped] {
        Interrupt heard([](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load(); }, &stopped);
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
