#include "assignment/traits.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "simd/kernels.hpp"

namespace rebasin::assignment {

namespace {

// Ties decide where row minima have few values: 0/1, counts.
template <class T>
bool are_few_values(const CostRows<T>& costs) {
  constexpr std::int64_t sampled_rows = 8;
  const simd::KernelsFor<T>& kernels = simd::select<T>(simd::active());
  const std::vector<double> zero(costs.columns() + simd::block, 0.0);
  std::vector<T> buffer(costs.direct() ? 0 : costs.columns());
  const std::int64_t stride = std::max<std::int64_t>(1, costs.rows() / sampled_rows);
  double first = 0.0;
  double other = 0.0;
  int values = 0;
  for (std::int64_t i = stride / 2; i < costs.rows(); i += stride) {
    const T* run = costs.row(i, buffer.data());
    const double least =
        kernels.bid_row(run, costs.scale() < 0 ? -T{0} : T{0}, costs.columns(), zero.data()).best;
    if (values > 0 && (least == first || (values > 1 && least == other))) continue;
    if (++values > 2) return false;
    (values == 1 ? first : other) = least;
  }
  return true;
}

}  // namespace

template <class T>
Traits sample_traits(const CostRows<T>& costs) {
  constexpr std::int64_t sampled_rows = 8;
  constexpr std::int64_t runs = 4;
  constexpr std::int64_t run_length = 16;
  const T sign = static_cast<T>(costs.scale());
  const std::int64_t stride = std::max<std::int64_t>(1, costs.rows() / sampled_rows);
  const std::int64_t length = std::min(run_length, costs.columns() / runs);
  std::array<T, run_length> entries;
  T largest = -std::numeric_limits<T>::infinity();
  std::int64_t count = 0;
  std::int64_t at_largest = 0;
  std::int64_t equal = 0;
  for (std::int64_t k = 0; k < std::min(sampled_rows, costs.rows()); ++k) {
    for (std::int64_t part = 0; part < runs; ++part) {
      costs.part(k * stride, part * (costs.columns() - length) / (runs - 1), length, entries.data());
      for (std::int64_t j = 0; j < length; ++j) {
        const T entry = sign * entries[j];
        at_largest = entry > largest ? 1 : at_largest + (entry == largest ? 1 : 0);
        largest = std::max(largest, entry);
        equal += j > 0 && entries[j] == entries[j - 1] ? 1 : 0;
      }
      count += length;
    }
  }
  Traits traits;
  if (count > 0) {
    traits.filler_share = static_cast<double>(at_largest) / static_cast<double>(count);
    traits.equal_neighbours = static_cast<double>(equal) / static_cast<double>(count);
  }
  traits.few_values = are_few_values(costs);
  return traits;
}

template Traits sample_traits<float>(const CostRows<float>&);
template Traits sample_traits<double>(const CostRows<double>&);

}  // namespace rebasin::assignment
