// The first read of the matrix: what no solver may assume.
#pragma once

#include "assignment/cost_rows.hpp"

namespace rebasin::assignment {

struct Inspection {
  Status status = Status::ok;
  double largest = 0.0;  // magnitude of the largest finite entry, before any scale
};

// Finds invalid entries and the range of the finite ones. One read of the matrix.
template <class T>
Inspection inspect(const CostRows<T>& costs, Interrupt& interrupt);

}  // namespace rebasin::assignment
