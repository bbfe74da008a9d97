// Proof of optimality by linear-programming duality, with every rounding accounted for.
#pragma once

#include "assignment/costs/cost_rows.hpp"
#include "assignment/matching_state.hpp"

namespace rebasin::assignment {

struct Certificate {
  std::vector<double> u;  // row duals: u_i + v_j <= c_ij in real arithmetic
  double gap = 0.0;       // upper bound on (cost of the matching) - (cost of the optimum), in real arithmetic
};

enum class RowDuals { computed, given };

// At least cost - v - u in real arithmetic.
double slack_bound(double cost, double v, double u);

// True when the matrix's totals, being multiples of the lowest set bit of any cost, differ by more than
// `bound` or not at all. Up to one read, less where a small bit comes early.
template <class T>
bool totals_lie_apart(const CostRows<T>& costs, double bound, Interrupt& interrupt);

// Proves a complete matching with the column duals `state.v`, in one read; positive duals of a rectangle are
// cut to zero first, as no matching need use their column. The gap is the sum of the matched entries' slack c
// - u - v and, for rows < columns, of -v over the unmatched columns. A bound below the spacing of attainable
// totals (the lowest set bit of any cost) proves optimality: the gap is then 0; finding that spacing takes up
// to one more read. A row without a column counts with the price, which bounds the row duals. Row duals given
// in proof.u save the read.
template <class T>
Status certify(const CostRows<T>& costs, MatchingState& state, double unmatched_price, RowDuals row_duals,
               Certificate& proof, Interrupt& interrupt);

}  // namespace rebasin::assignment
