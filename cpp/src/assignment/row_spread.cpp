#include "assignment/row_spread.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace rebasin::assignment {
namespace {

constexpr std::int64_t chunk = 16;  // entries looked at together: a cache line

// Mean squared distance from the mean, over `count` chunks that lie `stride` columns apart.
template <class T>
double variance_of_chunks(const T* run, std::int64_t columns, std::int64_t first, std::int64_t stride,
                          int count) {
  double sum = 0.0;
  double squares = 0.0;
  double seen = 0.0;
  for (int part = 0; part < count; ++part) {
    const std::int64_t start = first + part * stride;
    for (std::int64_t j = start; j < std::min(start + chunk, columns); ++j) {
      const auto cost = static_cast<double>(run[j]);
      if (!std::isfinite(cost)) continue;
      sum += cost;
      squares += cost * cost;
      seen += 1.0;
    }
  }
  const double variance = seen > 0.0 ? (squares - sum * sum / seen) / seen : 0.0;
  return variance > squares * 0x1p-40 ? variance : 0.0;
}

struct Moments {
  double sum = 0.0;
  double squares = 0.0;
  double count = 0.0;

  void add(double x) {
    sum += x;
    squares += x * x;
    count += 1.0;
  }
  double variance() const { return count > 0.0 ? (squares - sum * sum / count) / count : 0.0; }
};

}  // namespace

template <class T>
bool rows_differ_in_spread(ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 64;
  constexpr double least_deviation = 1.15;  // of the logarithm of a row's spread
  constexpr double least_ratio = 4.0;
  // Eight rows of such a deviation hardly ever lie as close together as this; most problems end here.
  constexpr double few_rows = 8.0;
  constexpr double least_range = 1.0;
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  const std::int64_t quarter = state.columns / 4;
  Moments level;
  Moments noise;
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -lowest;
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    if (level.count == few_rows && highest - lowest < least_range) return false;
    const T* run = state.costs.row(i, state.buffer.data());
    const double one = variance_of_chunks(run, state.columns, 0, 2 * quarter, 2);
    const double other = variance_of_chunks(run, state.columns, quarter, 2 * quarter, 2);
    if (!(one > 0.0 && other > 0.0)) continue;
    const double deviation = 0.25 * std::log(one) + 0.25 * std::log(other);
    lowest = std::min(lowest, deviation);
    highest = std::max(highest, deviation);
    level.add(deviation);
    noise.add(0.25 * std::log(one) - 0.25 * std::log(other));
  }
  // Where entries differ as much within a row as rows do, two parts of a row do not agree on its spread.
  return level.count * 4 > sampled_rows && level.variance() > least_deviation * least_deviation &&
         level.variance() > least_ratio * noise.variance();
}

template <class T>
std::vector<std::int32_t> order_by_spread(ListState<T>& state) {
  constexpr int chunks = 4;
  std::vector<double> spread(state.rows);
  for (std::int64_t i = 0; i < state.rows; ++i) {
    const T* run = state.costs.row(i, state.buffer.data());
    spread[i] = variance_of_chunks(run, state.columns, 0, state.columns / chunks, chunks);
  }
  std::vector<std::int32_t> order(state.rows);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&spread](std::int32_t one, std::int32_t other) {
    return spread[one] != spread[other] ? spread[one] < spread[other] : one > other;
  });
  return order;
}

template bool rows_differ_in_spread<float>(ListState<float>&);
template bool rows_differ_in_spread<double>(ListState<double>&);
template std::vector<std::int32_t> order_by_spread<float>(ListState<float>&);
template std::vector<std::int32_t> order_by_spread<double>(ListState<double>&);

}  // namespace rebasin::assignment
