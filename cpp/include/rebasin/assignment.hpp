// The linear assignment problem: dense, square or rectangular, float32 or float64, exact.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// A strided, read-only view of a cost matrix; strides count elements and may be negative. Owns nothing.
template <class T>
struct CostView {
  const T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  bool maximize = false;
};

// The optimum and its proof, in the caller's orientation and sign.
struct AssignmentSolution {
  std::vector<std::int64_t> columns;  // per row: its column, -1 when rows > columns leave it unassigned
  std::vector<double> row_duals;      // minimising: row_dual + column_dual <= cost; maximising: >=
  std::vector<double> column_duals;
  double objective = 0.0;  // float64 sum of the assigned costs, in row order
  double gap = 0.0;        // checked bound on the distance from the optimum; 0.0 = proven optimal
};

// Solves `cost` into `solution`, whose vectors are resized.
//
// +inf (minimising; -inf when maximising) marks a forbidden entry; NaN and the opposite infinity give
// invalid_entry. The matrix is read, never copied: beyond `solution` the solver takes O(rows + columns) memory.
// Time O(n^2 m) at worst for n <= m. Thread-safe on distinct solutions; no global state.
template <class T>
Status solve_assignment(const CostView<T>& cost, AssignmentSolution& solution, Interrupt& interrupt);

extern template Status solve_assignment<float>(const CostView<float>&, AssignmentSolution&, Interrupt&);
extern template Status solve_assignment<double>(const CostView<double>&, AssignmentSolution&, Interrupt&);

}  // namespace rebasin
