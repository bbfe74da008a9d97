#include "assignment/row_spread.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rebasin::assignment {
namespace {

// Mean distance between neighbours among the best entries of the row's first columns; 0 where they tie.
template <class T>
double spacing_of_best(ListState<T>& state, std::int64_t i) {
  constexpr std::int64_t enough_columns = 256;
  constexpr int compared = 8;
  const T* run = state.costs.row(i, state.buffer.data());
  state.kernels.scan(run, state.v_up.data(), state.flip, std::min(state.columns, enough_columns), 0, nullptr,
                     state.masks.data(), state.found);
  const auto& found = state.found;
  if (found.invalid || found.count <= compared) return 0.0;
  return (static_cast<double>(found.reduced[compared]) - static_cast<double>(found.reduced[0])) / compared;
}

template <class T>
double deviation_of_sample(ListState<T>& state, std::int64_t i) {
  constexpr std::int64_t sampled = 32;
  const T* run = state.costs.row(i, state.buffer.data());
  const std::int64_t stride = std::max<std::int64_t>(1, state.columns / sampled);
  double sum = 0.0;
  double squares = 0.0;
  double count = 0.0;
  for (std::int64_t j = 0; j < state.columns; j += stride) {
    const auto cost = static_cast<double>(run[j]);
    if (!std::isfinite(cost)) continue;
    sum += cost;
    squares += cost * cost;
    count += 1.0;
  }
  return count > 0.0 ? std::max(0.0, squares / count - (sum / count) * (sum / count)) : 0.0;
}

}  // namespace

template <class T>
bool rows_differ_in_spread(ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 16;
  constexpr double most_alike = 16.0;
  std::vector<double> spacing;
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    const double found = spacing_of_best(state, i);
    if (found > 0.0) spacing.push_back(found);
  }
  if (static_cast<std::int64_t>(spacing.size()) * 2 < sampled_rows) return false;
  std::sort(spacing.begin(), spacing.end());
  // The extremes of a sample are outliers.
  return spacing[spacing.size() - 2] > most_alike * spacing[1];
}

template <class T>
std::vector<std::int32_t> order_by_spread(ListState<T>& state) {
  std::vector<double> spread(state.rows);
  for (std::int64_t i = 0; i < state.rows; ++i) spread[i] = deviation_of_sample(state, i);
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
