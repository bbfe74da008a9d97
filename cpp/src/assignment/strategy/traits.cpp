#include "assignment/strategy/traits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "assignment/strategy/tuning.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {

namespace {

// Whether most rows meet their least entry more than once, and whether it is one of few values: 0/1, counts.
// Rows whose entries all equal the largest do not count.
template <class T>
void sample_ties(const CostRows<T>& costs, double largest, Traits& traits) {
  constexpr std::int64_t sampled_rows = 8;
  constexpr std::size_t few_values = 2;
  const simd::KernelsFor<T>& kernels = simd::kernels<T>();
  const std::vector<double> zero(costs.columns() + simd::block, 0.0);
  std::vector<T> buffer = costs.make_buffer();
  const std::int64_t stride = std::max<std::int64_t>(1, costs.rows() / sampled_rows);
  std::vector<double> values;
  int tied = 0;
  int rows = 0;
  for (std::int64_t i = stride / 2; i < costs.rows(); i += stride) {
    const T* run = costs.row(i, buffer.data());
    const simd::RowBid bid = kernels.bid_row(run, costs.sign_mask(), costs.columns(), zero.data());
    ++rows;
    tied += bid.second == bid.best && bid.best < largest ? 1 : 0;
    if (std::find(values.begin(), values.end(), bid.best) == values.end()) values.push_back(bid.best);
    if (tied == 0 && values.size() > few_values) return;
  }
  traits.tied = tied * 2 > rows;
  traits.few_values = traits.tied && values.size() <= few_values;
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
  T finite_largest = largest;
  std::int64_t count = 0;
  std::int64_t at_largest = 0;
  T least = std::numeric_limits<T>::infinity();
  std::int64_t equal = 0;
  double steps = 0.0;
  std::array<T, runs * run_length> lowest;
  std::array<T, runs * run_length> highest;
  lowest.fill(std::numeric_limits<T>::infinity());
  highest.fill(-std::numeric_limits<T>::infinity());
  for (std::int64_t k = 0; k < std::min(sampled_rows, costs.rows()); ++k) {
    for (std::int64_t part = 0; part < runs; ++part) {
      costs.part(k * stride, part * (costs.columns() - length) / (runs - 1), length, entries.data());
      for (std::int64_t j = 0; j < length; ++j) {
        const T entry = sign * entries[j];
        at_largest = entry > largest ? 1 : at_largest + (entry == largest ? 1 : 0);
        largest = std::max(largest, entry);
        least = std::min(least, entry);
        if (entry < std::numeric_limits<T>::infinity()) {
          finite_largest = std::max(finite_largest, entry);
          const auto column = static_cast<std::size_t>(part * run_length + j);
          lowest[column] = std::min(lowest[column], entry);
          highest[column] = std::max(highest[column], entry);
        }
        const double step =
            j > 0 ? std::abs(static_cast<double>(entries[j]) - static_cast<double>(entries[j - 1])) : 0.0;
        if (step < std::numeric_limits<double>::infinity()) steps += step;
        equal += j > 0 && entries[j] == entries[j - 1] ? 1 : 0;
      }
      count += length;
    }
  }
  Traits traits;
  if (count > 0) {
    traits.filler_share = static_cast<double>(at_largest) / static_cast<double>(count);
    traits.negative = least < T{0};
    const double range = static_cast<double>(finite_largest) - static_cast<double>(least);
    const double magnitude =
        std::max(std::abs(static_cast<double>(finite_largest)), std::abs(static_cast<double>(least)));
    traits.offset_dominates = sizeof(T) == 8 && magnitude > tuning::dominating_offset * range;
    double column_ranges = 0.0;
    for (std::size_t k = 0; k < lowest.size(); ++k) {
      if (lowest[k] <= highest[k])
        column_ranges += static_cast<double>(highest[k]) - static_cast<double>(lowest[k]);
    }
    traits.columns_differ = column_ranges < tuning::column_range * range * static_cast<double>(runs * length);
    traits.smooth = steps / static_cast<double>(count) < tuning::smooth_step * range;
    traits.equal_neighbours = static_cast<double>(equal) / static_cast<double>(count);
  }
  sample_ties(costs, static_cast<double>(largest), traits);
  return traits;
}

template Traits sample_traits<float>(const CostRows<float>&);
template Traits sample_traits<double>(const CostRows<double>&);

}  // namespace rebasin::assignment
