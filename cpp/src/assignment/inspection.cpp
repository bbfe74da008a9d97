#include "assignment/inspection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace rebasin::assignment {

template <class T>
Inspection inspect(const CostRows<T>& costs, Interrupt& interrupt) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T sign = costs.scale() < 0 ? T{-1} : T{1};
  std::vector<T> buffer(costs.columns());
  T least = infinity;
  T greatest = -infinity;
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    if (interrupt.requested()) return {Status::interrupted};
    const T* run = costs.row(i, buffer.data());
    bool valid = true;
    for (std::int64_t j = 0; j < costs.columns(); ++j) {
      const T entry = sign * run[j];
      valid &= entry > -infinity;  // false for NaN too
      least = std::min(least, entry);
      greatest = std::max(greatest, entry == infinity ? -infinity : entry);
    }
    if (!valid) return {Status::invalid_entry};
  }
  if (greatest == -infinity) return {costs.rows() > 0 ? Status::infeasible : Status::ok};
  Inspection found;
  found.largest = std::max(std::abs(static_cast<double>(least)), std::abs(static_cast<double>(greatest)));
  return found;
}

template Inspection inspect<float>(const CostRows<float>&, Interrupt&);
template Inspection inspect<double>(const CostRows<double>&, Interrupt&);

}  // namespace rebasin::assignment
