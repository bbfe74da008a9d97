// The bottleneck assignment problem: a complete assignment whose largest cost is least.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/assignment.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// Operations of a solve, for benchmarks and tests.
struct BottleneckCounters {
  std::int64_t thresholds = 0;  // graphs of the entries up to a threshold
  std::int64_t phases = 0;      // rounds of augmenting paths
};

struct BottleneckSolution {
  std::vector<std::int64_t> columns;  // per row: its column, -1 when rows > columns leave it unassigned
  // The assigned entry that attains the bottleneck; -1 where the matrix is empty.
  std::int64_t row = -1;
  std::int64_t column = -1;
  // A block of entries none of which is better than the bottleneck, with more rows and columns in sum than
  // the larger side of the matrix: every complete assignment uses one of them (Frobenius, Konig).
  std::vector<std::int64_t> block_rows;
  std::vector<std::int64_t> block_columns;
  BottleneckCounters counters;
};

// Minimises the largest assigned cost; maximising, maximises the smallest. Entries are compared, never
// added: exact for every element type. Forbidden and invalid entries are as for solve_assignment; where no
// complete assignment exists, the block holds forbidden entries alone.
//
// Thresholds rise from the largest row and column minimum; a failed one names the next through a set of rows
// that compete for too few columns, and after some of those the entries between bounds are halved. Time
// O((n m + n^2 m / 64 * phases) log(n m)) at worst. A matrix of float32, float64 or 64-bit integers is copied
// only if it is strided, maximised or taller than wide. Thread-safe on distinct solutions; no global state.
Status bottleneck_assignment(const AnyCostView& cost, BottleneckSolution& solution, Interrupt& interrupt);

// The same for `count` problems on up to `threads` threads; results do not depend on their number.
void bottleneck_assignment(const AnyCostView* costs, std::int64_t count, BottleneckSolution* solutions,
                           Status* statuses, int threads, Interrupt& interrupt);

}  // namespace rebasin
