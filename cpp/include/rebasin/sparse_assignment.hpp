// The linear assignment problem on sparse costs: entries that are absent are forbidden; exact.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/dtype.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// A read-only view of costs in compressed sparse rows (CSR). Owns nothing. Columns of a row may come in any
// order; of entries with the same place the best one counts. Columns lie in [0, columns), row starts ascend.
struct SparseCostView {
  const void* values = nullptr;
  const void* row_starts = nullptr;  // rows + 1
  const void* columns_of = nullptr;  // one per entry
  DType dtype = DType::float64;      // of the values: float32, float64 or int64
  bool wide_indices = false;         // row_starts and columns_of are int64, else int32
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool maximize = false;
};

// Operations, for benchmarks.
struct SparseCounters {
  std::int64_t entries_read = 0;    // by all stages, the conversion and the certificate excluded
  std::int64_t bids = 0;            // rows that took a column in an auction
  std::int64_t searches = 0;        // shortest paths from one free row
  std::int64_t joint_searches = 0;  // shortest paths from all free rows at once
  std::int64_t levels = 0;          // epsilons of the auction
};

// The optimum and its proof, in the caller's orientation and sign.
struct SparseSolution {
  std::vector<std::int64_t> columns;  // per row: its column, -1 where it has none
  std::vector<double> row_duals;      // minimising: row_dual + column_dual <= cost; maximising: >=
  std::vector<double> column_duals;
  double objective = 0.0;  // the assigned costs' sum in real arithmetic, rounded once to float64
  double gap = 0.0;        // bound on the distance from the optimum in real arithmetic; 0.0 = optimal
  // Where no complete assignment exists, a Hall violator: rows whose entries lie in fewer columns (rows <=
  // columns), or columns whose entries lie in fewer rows. Ascending.
  std::vector<std::int64_t> violating_rows;
  std::vector<std::int64_t> violating_columns;
  SparseCounters counters;
};

enum class Matching { complete, greatest };

// Solves `cost` into `solution`. `complete` assigns min(rows, columns) pairs or reports infeasible with a
// Hall violator. `greatest` assigns as many pairs as can be, at the least cost among those; the duals then
// prove each of the two halves of the Dulmage-Mendelsohn decomposition: rows that some greatest matching
// leaves unassigned with all columns of their entries, and the rest.
//
// +inf (minimising; -inf when maximising) is an absent entry; NaN and the opposite infinity give
// invalid_entry. The entries are copied once, as fixed-point numbers: memory 12 bytes an entry and some 100 a
// row or column. Where float64 does not hold the total or a dual: overflow, and the columns. Thread-safe on
// distinct solutions; no global state.
Status solve_sparse_assignment(const SparseCostView& cost, Matching wanted, SparseSolution& solution,
                               Interrupt& interrupt);

}  // namespace rebasin
