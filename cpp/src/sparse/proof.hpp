// Proof of optimality by linear-programming duality, with every rounding accounted for.
#pragma once

#include "rebasin/sparse_assignment.hpp"
#include "sparse/graph/conversion.hpp"

namespace rebasin::sparse {

// Per row or column of the view, in the minimised sign: its matched column or row, or -1, and its dual.
struct ProvenMatching {
  std::vector<std::int32_t> column_of;
  std::vector<double> row_dual;
  std::vector<double> column_dual;
};

// From the duals of one side, the columns of the graph that `selection` describes, computes those of the
// other as lower bounds of the least reduced cost, over the entries of the selection and nothing else;
// returns an upper bound, in real arithmetic, of (cost of the matching) - (cost of the optimum) on them.
template <class View>
double prove(const View& view, const Selection& selection, ProvenMatching& matching);

// float64 sum of the assigned costs, in row order.
template <class View>
double total_of(const View& view, const std::vector<std::int32_t>& column_of);

}  // namespace rebasin::sparse
