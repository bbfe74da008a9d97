// Costs near the end of float64, scaled so that their sums do not overflow.
#pragma once

#include <vector>

#include "rebasin/sparse_assignment.hpp"

namespace rebasin::sparse {

// Whether float64 holds the total, the gap and every dual.
bool is_finite(const SparseSolution& solution);

// A copy of float64 costs, each times a power of two; entries that are tiny beside the largest may round.
class ScaledCosts {
 public:
  explicit ScaledCosts(const SparseCostView& original);
  ScaledCosts(const ScaledCosts&) = delete;
  ScaledCosts& operator=(const ScaledCosts&) = delete;

  const SparseCostView& view() const { return scaled_; }

  // Turns the solution of view() into that of the original: duals that are feasible there, a gap that allows
  // for the entries that were rounded.
  void restore(SparseSolution& solution) const;

 private:
  SparseCostView original_;
  SparseCostView scaled_;
  std::vector<double> values_;
  bool rounded_ = false;
};

}  // namespace rebasin::sparse
