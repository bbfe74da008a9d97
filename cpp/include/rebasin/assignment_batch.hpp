// Linear assignment problems of one shape in one array, solved into the caller's arrays.
#pragma once

#include <cstdint>

#include "rebasin/assignment.hpp"

namespace rebasin {

// Outputs are contiguous, one row a problem; none may be null. Problems without a solution get columns of -1
// and NaN elsewhere.
struct AssignmentBatch {
  AnyCostView first;                           // the first problem
  std::int64_t count = 0;                      // of problems
  std::int64_t stride = 0;                     // bytes from one problem to the next
  const double* start_row_duals = nullptr;     // (count, rows), or null for no warm start
  const double* start_column_duals = nullptr;  // (count, columns)
  std::int64_t* columns = nullptr;             // (count, rows)
  double* row_duals = nullptr;                 // (count, rows)
  double* column_duals = nullptr;              // (count, columns)
  double* objectives = nullptr;                // (count)
  double* gaps = nullptr;                      // (count)
  Status* statuses = nullptr;                  // (count)
};

// Solves every problem as solve_assignment does, on up to `threads` threads, each of which reuses one
// solution. Returns interrupted or out_of_memory if any problem did; else ok, and each problem has its own
// status.
Status solve_assignment_batch(const AssignmentBatch& batch, int threads, Interrupt& interrupt);

}  // namespace rebasin
