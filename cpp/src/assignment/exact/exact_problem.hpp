// The problem of the exact finish: costs, a matching, and float64 duals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "assignment/exact/dyadic.hpp"
#include "assignment/exact/exact_costs.hpp"
#include "assignment/exact/near_tight.hpp"

namespace rebasin::assignment {

// Rows <= columns, minimised; duals of the columns, in units of 2^costs.shift().
struct ExactProblem {
  ExactCosts costs;
  CompleteMatching matching;
  std::vector<double> v;

  Dyadic dual(std::int64_t column) const { return to_dyadic(v[column], costs.shift()); }

  // A matching in the caller's orientation: a column, or -1, per row.
  void take_matching(const std::vector<std::int64_t>& columns);

  // Any column duals prove something. Those of a rectangle are moved until the largest is 0.
  void take_duals(const std::vector<double>& duals, bool maximize);

  // Scales costs and duals, so that no difference overflows.
  void shift();

  // An estimate of the deficit: the gap that the caller's duals have proven, and the rounding of all duals.
  double expected_deficit(double gap) const;

  // The exponent of a power of two that divides all costs and duals of the entries.
  int common_unit(const NearTightEntries& entries) const;

 private:
  // True where differences of costs and duals may overflow, as far as matched costs and duals show.
  bool holds_huge_numbers() const;
};

}  // namespace rebasin::assignment
