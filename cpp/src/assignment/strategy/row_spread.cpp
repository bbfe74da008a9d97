#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include "assignment/strategy/traits.hpp"

namespace rebasin::assignment {
namespace {

constexpr std::int64_t chunk = 16;  // entries read together: a cache line

// Mean squared distance from the mean, over `count` chunks that lie `stride` columns apart.
template <class T>
double variance_of_chunks(const T* run, std::int64_t columns, std::int64_t first, std::int64_t stride,
                          int count) {
  // Sums of their own for each lane: one chain would wait for every addition.
  constexpr std::int64_t lanes = 4;
  double sums[lanes] = {};
  double squares[lanes] = {};
  double seen[lanes] = {};
  for (int part = 0; part < count; ++part) {
    const std::int64_t start = first + part * stride;
    const std::int64_t length = std::min(chunk, columns - start) / lanes * lanes;
    for (std::int64_t k = 0; k < length; k += lanes) {
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const auto entry = static_cast<double>(run[start + k + lane]);
        const bool finite = std::abs(entry) < std::numeric_limits<double>::infinity();
        const double cost = finite ? entry : 0.0;
        sums[lane] += cost;
        squares[lane] += cost * cost;
        seen[lane] += finite ? 1.0 : 0.0;
      }
    }
  }
  const double sum = std::accumulate(std::begin(sums), std::end(sums), 0.0);
  const double square = std::accumulate(std::begin(squares), std::end(squares), 0.0);
  const double entries = std::accumulate(std::begin(seen), std::end(seen), 0.0);
  const double variance = entries > 0.0 ? (square - sum * sum / entries) / entries : 0.0;
  return variance > square * 0x1p-40 ? variance : 0.0;
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

struct Spreads {
  Moments level;  // of the logarithm of a row's spread
  Moments noise;  // of the difference of its two halves
};

template <class T>
Spreads sample_spreads(const CostRows<T>& costs, std::int64_t sampled_rows) {
  std::vector<T> buffer = costs.make_buffer();
  Spreads found;
  const std::int64_t stride = std::max<std::int64_t>(1, costs.rows() / sampled_rows);
  const std::int64_t quarter = costs.columns() / 4;
  for (std::int64_t i = stride / 2; i < costs.rows(); i += stride) {
    const T* run = costs.row(i, buffer.data());
    const double one = variance_of_chunks(run, costs.columns(), 0, 2 * quarter, 2);
    const double other = variance_of_chunks(run, costs.columns(), quarter, 2 * quarter, 2);
    if (!(one > 0.0 && other > 0.0)) continue;
    found.level.add(0.25 * std::log(one * other));
    found.noise.add(0.25 * std::log(one / other));
  }
  return found;
}

}  // namespace

template <class T>
bool rows_differ_in_spread(const CostRows<T>& costs) {
  constexpr std::int64_t few_rows = 16;
  constexpr std::int64_t more_rows = 64;
  constexpr double least_variance = 1.3;
  constexpr double least_ratio = 4.0;
  // A few rows suffice for most matrices.
  if (sample_spreads(costs, few_rows).level.variance() < least_variance / 4) return false;
  const Spreads found = sample_spreads(costs, more_rows);
  // Where entries differ as much within a row as rows do, two parts of a row do not agree on its spread.
  return found.level.count * 4 > more_rows && found.level.variance() > least_variance &&
         found.level.variance() > least_ratio * found.noise.variance();
}

template <class T>
std::vector<std::int32_t> order_by_spread(const CostRows<T>& costs, std::vector<T>& buffer) {
  constexpr int chunks = 4;
  std::vector<double> spread(costs.rows());
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    const T* run = costs.row(i, buffer.data());
    spread[i] = variance_of_chunks(run, costs.columns(), 0, costs.columns() / chunks, chunks);
  }
  std::vector<std::int32_t> order(costs.rows());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&spread](std::int32_t one, std::int32_t other) {
    return spread[one] != spread[other] ? spread[one] < spread[other] : one > other;
  });
  return order;
}

template bool rows_differ_in_spread<float>(const CostRows<float>&);
template bool rows_differ_in_spread<double>(const CostRows<double>&);
template std::vector<std::int32_t> order_by_spread<float>(const CostRows<float>&, std::vector<float>&);
template std::vector<std::int32_t> order_by_spread<double>(const CostRows<double>&, std::vector<double>&);

}  // namespace rebasin::assignment
