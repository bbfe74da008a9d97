// The entries that an assignment better than a given one could use, by linear-programming duality.
#pragma once

#include <cstdint>
#include <vector>

#include "assignment/exact/exact_costs.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin::assignment {

// A complete matching of the rows.
struct CompleteMatching {
  std::vector<std::int64_t> column_of;  // per row
  std::vector<std::int64_t> row_of;     // per column, -1 where it is unmatched
};

// Entries by row; those of row i are column[start[i]] to column[start[i + 1] - 1], ascending.
struct NearTightEntries {
  std::vector<std::int64_t> start;
  std::vector<std::int32_t> column;
  double deficit = 0.0;  // at least the matching's total slack; 0 proves it optimal with v
  double widest = 0.0;   // at least every difference of reduced costs that the entries and v lead to
};

// With u_i = min_j (c_ij - v_j), the deficit is the sum of c - u - v over the matching and of -v over the
// unmatched columns; v <= 0 unless the problem is square. A better assignment costs less by less than the
// deficit, and each of its entries has a slack c - u - v below it: only such entries are kept. Every rounding
// is accounted for, and differences that float64 holds exactly are taken exactly. `expected` is an estimate
// of the deficit; one read where it is no lower than the deficit and few entries lie below it, else two. The
// deficit is infinite where float64 overflowed: the entries are then not collected.
Status find_near_tight(const ExactCosts& costs, const CompleteMatching& matching,
                       const std::vector<double>& v, double expected, NearTightEntries& found,
                       Interrupt& interrupt);

}  // namespace rebasin::assignment
