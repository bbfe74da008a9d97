// One row of the certificate: its dual in real arithmetic, and the slack of its matched entry.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/cost_matrix.hpp"
#include "cuda/host_device.hpp"

namespace rebasin::cuda {

// a - b minus its rounded value, exactly, barring overflow (Knuth).
REBASIN_HD inline double rounding_error(double a, double b, double rounded) {
  const double b_virtual = a - rounded;
  const double a_virtual = rounded + b_virtual;
  return (a - a_virtual) + (b_virtual - b);
}

// The smallest double that is at least a + b.
REBASIN_HD inline double sum_up(double a, double b) {
  const double sum = a + b;
  return rounding_error(a, -b, sum) > 0.0 ? ::nextafter(sum, infinity) : sum;
}

// A row's least rounded reduced cost, and whether the real one lies below it.
struct Least {
  double value;
  int below;
};

struct Lower {
  REBASIN_HD Least operator()(Least a, Least b) const {
    if (a.value != b.value) return a.value < b.value ? a : b;
    return {a.value, a.below | b.below};
  }
};

struct RowProof {
  double cost;   // of the matched entry
  double dual;   // at or below every cost - v of the row, in real arithmetic
  double slack;  // at or above the matched entry's cost - v - dual; 0 proves it optimal
};

template <class Warp, class T>
REBASIN_HD RowProof certify_row(Warp& warp, const CostMatrix<T>& costs, const double* v, std::int64_t row,
                                std::int64_t matched) {
  Least least{infinity, 0};
  for (std::int64_t j = warp.rank(); j < costs.columns; j += warp.size()) {
    const double cost = costs.at(row, j);
    const double reduced = cost - v[j];
    if (!(reduced <= least.value) || !(reduced < infinity)) continue;
    least = Lower()(least, {reduced, rounding_error(cost, v[j], reduced) < 0.0 ? 1 : 0});
  }
  least = warp.reduce(least, Lower());
  const double dual = least.below != 0 ? ::nextafter(least.value, -infinity) : least.value;
  const double cost = costs.at(row, matched);
  const double reduced = cost - v[matched];
  const double slack = sum_up(sum_up(reduced, -dual), rounding_error(cost, v[matched], reduced));
  return {cost, dual, larger(0.0, slack)};
}

}  // namespace rebasin::cuda
