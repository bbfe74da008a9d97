// Problems of a batch on several threads.
#pragma once

#include <cstdint>

#include "assignment/problem_threads.hpp"

namespace rebasin {

// statuses[k] = solve(k, interrupt) for each k < count. Threads take the next problem from a shared counter;
// each has an interrupt of its own, which hears that of the caller.
template <class Solve>
void solve_in_parallel(std::int64_t count, int threads, Status* statuses, Interrupt& interrupt,
                       const Solve& solve) {
  solve_on_threads(count, threads, statuses, interrupt, [&solve] {
    return [&solve](std::int64_t k, Interrupt& heard) { return solve(k, heard); };
  });
}

}  // namespace rebasin
