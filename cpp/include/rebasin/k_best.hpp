// The k best assignments of a cost matrix, in order of their totals.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "rebasin/assignment.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

struct KBestOptions {
  std::int64_t k = 1;
  // Only assignments whose exact total is within this of the best one's; not negative.
  double within = std::numeric_limits<double>::infinity();
};

// Operations of a call, for benchmarks and tests.
struct KBestCounters {
  std::int64_t nodes = 0;         // subproblems whose best assignment was found and that were split
  std::int64_t searches = 0;      // shortest augmenting paths
  std::int64_t scanned_rows = 0;  // rows in their trees
  std::int64_t compared = 0;      // pairs of totals too near for the grid, compared exactly
};

struct KBestSolution {
  std::int64_t count = 0;
  std::vector<std::int64_t> columns;  // count x rows; -1 where rows > columns leave a row unassigned
  std::vector<double> objectives;     // exact totals, correctly rounded, best first
  // Bound on how far the last total can lie beyond the true one of its rank; 0.0 = proven.
  double gap = 0.0;
  KBestCounters counters;
};

// Finds the min(k, all) best complete assignments of min(rows, columns) pairs, each once, best first.
//
// Costs are read once, onto a grid of 64-bit integers on which every dual and every path length is exact.
// Entries that the grid cannot hold are rounded down, and totals nearer than that rounding are put in order
// by their exact sums. overflow where float64 does not hold a total. Forbidden and invalid entries are as for
// solve_assignment.
//
// Murty 1968 with the duals and the matching inherited (Miller, Stone & Cox 1997): one shortest augmenting
// path a subproblem, and that only when a bound from row and column minima of the reduced costs is the least
// of all. Time O(k n^2 m) at worst after the first assignment, n <= m; memory O(n m + k m). Thread-safe on
// distinct solutions; no global state.
Status k_best_assignments(const AnyCostView& cost, const KBestOptions& options, KBestSolution& solution,
                          Interrupt& interrupt);

// The same for `count` problems on up to `threads` threads; results do not depend on their number.
void k_best_assignments(const AnyCostView* costs, std::int64_t count, const KBestOptions& options,
                        KBestSolution* solutions, Status* statuses, int threads, Interrupt& interrupt);

}  // namespace rebasin
