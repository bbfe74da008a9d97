// Totals of an assignment, and whether a proof by float64 duals is as good as float64 allows.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/assignment.hpp"

namespace rebasin::assignment {

// The sum in real arithmetic, rounded once to nearest; infinite beyond float64. O(count), a few additions
// each.
double exact_total(const double* terms, std::int64_t count);

// The same of the assigned entries as the caller passed them, 64-bit integers unrounded. `columns` holds a
// column, or -1, per row.
double exact_total(const AnyCostView& cost, const std::vector<std::int64_t>& columns);

// True where a bound on the distance from the optimum is as small as rounding explains: 1e-12 of the sum of
// the magnitudes of the assigned costs (minimised). Numbers a thousand times and more above the others
// ("forbidden") are left out of the sum, and so is a common offset of the costs: neither allows a larger gap,
// except that beside such numbers 2^-29 of the rest is enough. O(n log n), O(n) where the gap is far below
// that, O(1) where it is 0.
bool proof_is_good_enough(const std::vector<double>& pair_costs, double gap);

}  // namespace rebasin::assignment
