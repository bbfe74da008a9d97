// Traits of a matrix that a sample of its entries tells, for the choice of a strategy.
#pragma once

#include "assignment/cost_rows.hpp"

namespace rebasin::assignment {

struct Traits {
  double filler_share = 0.0;      // of sampled entries that equal the largest of them
  double equal_neighbours = 0.0;  // share of sampled entries that equal the next one of their row
  bool few_values = false;        // the least entries of sampled rows are one or two values
  bool rows_differ = false;       // rows spread over very different ranges, as heavy-tailed norms make them
  double free_rows = 0.0;         // share that row reduction left without a column; 0 before it has run
};

// Looks at up to 512 entries, four runs of 16 in each of 8 rows, and at the least entries of 8 rows.
template <class T>
Traits sample_traits(const CostRows<T>& costs);

}  // namespace rebasin::assignment
