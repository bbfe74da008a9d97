// The linear assignment problem: dense, square or rectangular, any real dtype and strides, exact.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "rebasin/dtype.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// A strided, read-only view of a cost matrix whose element type is known at run time. Strides count bytes and
// may be negative, entries need no alignment. Owns nothing.
struct AnyCostView {
  const void* data = nullptr;
  DType dtype = DType::float64;
  bool swapped_bytes = false;  // the other endianness
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 0;
  bool maximize = false;

  AnyCostView transposed() const {
    return {data, dtype, swapped_bytes, columns, rows, column_stride, row_stride, maximize};
  }
};

// The same view of float or double, whose strides count elements.
template <class T>
struct CostView {
  const T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  bool maximize = false;

  operator AnyCostView() const {
    constexpr auto size = static_cast<std::int64_t>(sizeof(T));
    return {data, floating_dtype<T>, false, rows, columns, row_stride * size, column_stride * size, maximize};
  }
};

// Operations of a solve, for benchmarks.
struct AssignmentCounters {
  std::int64_t entries_read = 0;    // of the matrix, each time it was read
  std::int64_t bids = 0;            // rows that took a column in an auction
  std::int64_t refills = 0;         // candidate lists built anew
  std::int64_t augmentations = 0;   // rows left to the path search
  std::int64_t scanned_rows = 0;    // rows in its trees
  std::int64_t dense_searches = 0;  // searches that went on over whole rows
  std::int64_t list_bytes = 0;      // memory of the candidate lists
  const char* strategy = "";        // the last one tried; its name in cpp/src/assignment/README.md

  void add(const AssignmentCounters& more) {
    entries_read += more.entries_read;
    bids += more.bids;
    refills += more.refills;
    augmentations += more.augmentations;
    scanned_rows += more.scanned_rows;
    dense_searches += more.dense_searches;
    list_bytes = more.list_bytes > list_bytes ? more.list_bytes : list_bytes;
  }
};

// The optimum and its proof, in the caller's orientation and sign.
struct AssignmentSolution {
  std::vector<std::int64_t> columns;  // per row: its column, -1 when rows > columns leave it unassigned
  std::vector<double> row_duals;      // minimising: row_dual + column_dual <= cost; maximising: >=
  std::vector<double> column_duals;
  double objective = 0.0;  // the assigned costs' sum in real arithmetic, rounded once to float64
  double gap = 0.0;  // checked bound on the distance from the optimum of the costs as they were passed, in
                     // real arithmetic; 0.0 = proven optimal. Where integers proved it, the duals are
                     // those of the proof, rounded so that they stay feasible
  AssignmentCounters counters;
};

// Column and row duals of an earlier, similar problem of the same shape, in the caller's orientation and
// sign, such as those of its AssignmentSolution. Finite; need not be feasible.
struct WarmStart {
  const double* row_duals = nullptr;
  const double* column_duals = nullptr;
};

struct AssignmentOptions {
  const WarmStart* warm_start = nullptr;
  // A row or a column may stay unmatched at half of this price each, as in the extended matrix
  // [[C, L/2], [L/2, 0]]; to maximise, pairs below it are refused.
  double cost_limit = std::numeric_limits<double>::infinity();  // to maximise: -infinity
  bool partial = false;  // match as many rows as can be, at the least cost among those
};

// Solves `cost` into `solution`, whose vectors are resized. A warm start changes the time, never the optimum;
// one that turns out stale costs at most one read of the matrix.
//
// +inf (minimising; -inf when maximising) marks a forbidden entry; NaN and the opposite infinity give
// invalid_entry. A matrix that is not contiguous rows of float32 or float64 is converted: once up to 2^22
// entries, else a row at a time. Time O(n^2 m) at worst for n <= m. Thread-safe on distinct solutions; no
// global state. Where float64 does not hold the total or a dual: overflow, and the columns.
Status solve_assignment(const AnyCostView& cost, AssignmentSolution& solution, Interrupt& interrupt,
                        const AssignmentOptions& options = {});

// Solves `count` problems, each with its own status, on up to `threads` threads that take the next problem
// from a shared counter. Results do not depend on the number of threads. `warm_starts` is null or holds one
// per problem.
void solve_assignments(const AnyCostView* costs, const WarmStart* warm_starts, std::int64_t count,
                       AssignmentSolution* solutions, Status* statuses, int threads, Interrupt& interrupt);

}  // namespace rebasin
