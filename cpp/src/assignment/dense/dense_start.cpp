#include <algorithm>
#include <limits>
#include <vector>

#include "assignment/costs/column_minima.hpp"
#include "assignment/dense/stages.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

template <class T>
Attempt start_from_column_minima(const CostRows<T>& costs, std::int64_t counted_rows, MatchingState& state,
                                 Interrupt& interrupt) {
  constexpr std::int64_t rows_at_once = ColumnMinima<T>::rows_at_once;
  state.reset(costs.rows(), costs.columns());
  if (costs.rows() != costs.columns()) return Attempt::solved;
  const std::int64_t m = costs.columns();
  std::vector<T> minima(m, std::numeric_limits<T>::infinity());
  ColumnMinima<T> columns(costs);
  for (std::int64_t i = 0; i < counted_rows; i += rows_at_once) {
    if (interrupt.requested()) return Attempt::interrupted;
    columns.lower(i, std::min(i + rows_at_once, counted_rows), minima);
  }
  for (std::int64_t j = 0; j < m; ++j) {
    state.v[j] = minima[j] < std::numeric_limits<T>::infinity() ? static_cast<double>(minima[j]) : 0.0;
  }
  return Attempt::solved;
}

template <class T>
Attempt start_from_reduced_minima(const CostRows<T>& costs, std::int64_t counted_rows, MatchingState& state,
                                  Interrupt& interrupt) {
  constexpr std::int64_t rows_between_polls = 32;
  state.reset(costs.rows(), costs.columns());
  if (costs.rows() != costs.columns()) return Attempt::solved;
  const std::int64_t m = costs.columns();
  const simd::KernelsFor<T>& kernels = simd::kernels<T>();
  std::vector<double> minima(simd::whole_blocks(m), infinity);
  std::vector<T> buffer = costs.make_buffer();
  for (std::int64_t i = 0; i < counted_rows; ++i) {
    if (i % rows_between_polls == 0 && interrupt.requested()) return Attempt::interrupted;
    // Invalid entries are found by the bids.
    kernels.lower_reduced_minima(costs.row(i, buffer.data()), costs.sign_mask(), m, minima.data());
  }
  for (std::int64_t j = 0; j < m; ++j) state.v[j] = minima[j] < infinity ? minima[j] : 0.0;
  return Attempt::solved;
}

template Attempt start_from_column_minima<float>(const CostRows<float>&, std::int64_t, MatchingState&,
                                                 Interrupt&);
template Attempt start_from_reduced_minima<float>(const CostRows<float>&, std::int64_t, MatchingState&,
                                                  Interrupt&);
template Attempt start_from_column_minima<double>(const CostRows<double>&, std::int64_t, MatchingState&,
                                                  Interrupt&);
template Attempt start_from_reduced_minima<double>(const CostRows<double>&, std::int64_t, MatchingState&,
                                                   Interrupt&);

}  // namespace rebasin::assignment
