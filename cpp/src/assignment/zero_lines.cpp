#include "assignment/zero_lines.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace rebasin::assignment {
namespace {

template <class T>
std::vector<std::int32_t> find_zero_rows(ListState<T>& state) {
  std::vector<std::int32_t> zero;
  for (std::int64_t i = 0; i < state.rows; ++i) {
    const T* run = state.costs.row(i, state.buffer.data());
    if (std::all_of(run, run + state.columns, [](T cost) { return cost == T{0}; })) {
      zero.push_back(static_cast<std::int32_t>(i));
    }
  }
  return zero;
}

template <class T>
std::vector<std::int32_t> find_zero_columns(ListState<T>& state) {
  std::vector<std::int32_t> zero(state.columns);
  std::iota(zero.begin(), zero.end(), 0);
  for (std::int64_t i = 0; i < state.rows && !zero.empty(); ++i) {
    const T* run = state.costs.row(i, state.buffer.data());
    std::erase_if(zero, [run](std::int32_t column) { return run[column] != T{0}; });
  }
  state.counters.entries_read += state.rows * static_cast<std::int64_t>(zero.size());
  return zero;
}

// A sample of rows has entries below zero: only then do rows of zeros go to columns of zeros.
template <class T>
bool gains_beside_zero(ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 32;
  const T sign = state.costs.scale() < 0 ? T{-1} : T{1};
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    const T* run = state.costs.row(i, state.buffer.data());
    if (std::any_of(run, run + state.columns, [sign](T cost) { return sign * cost < T{0}; })) return true;
  }
  return false;
}

// Rows of zeros beyond the columns of zeros: the others then face a rectangle, with duals of at most zero,
// and zero where no other row goes.
template <class T>
void spare_zero_rows(ListState<T>& state, const std::vector<std::int32_t>& zero_rows) {
  for (const std::int32_t row : zero_rows) {
    if (state.frozen[row] == 0) state.spare_rows.push_back(row);
    state.frozen[row] = 1;
  }
  std::vector<std::uint8_t> taken(state.columns, 0);
  for (const auto& [row, column] : state.frozen_pairs) taken[column] = 1;
  for (std::int64_t j = 0; j < state.columns; ++j) {
    if (taken[j] == 0) state.set_dual(j, 0.0);
  }
}

template <class T>
void place_spare_rows(ListState<T>& state) {
  if (state.spare_rows.empty()) return;
  std::vector<std::uint8_t> taken(state.columns, 0);
  for (const auto& [row, column] : state.frozen_pairs) taken[column] = 1;
  std::int32_t j = 0;
  for (const std::int32_t row : state.spare_rows) {
    while (taken[j] != 0 || state.row_of[j] != unassigned) ++j;
    state.assign(row, j, 0.0);
  }
}

}  // namespace

template <class T>
void freeze_zero_lines(ListState<T>& state) {
  if (state.rows != state.columns) return;
  const std::vector<std::int32_t> rows = find_zero_rows(state);
  if (rows.size() < 2 || !gains_beside_zero(state)) return;
  const std::vector<std::int32_t> columns = find_zero_columns(state);
  const std::size_t pairs = std::min(rows.size(), columns.size());
  for (std::size_t k = 0; k < pairs; ++k) {
    state.frozen[rows[k]] = 1;
    state.frozen_pairs.emplace_back(rows[k], columns[k]);
    state.set_dual(columns[k], -state.grid.limit / 4);
  }
  if (rows.size() > columns.size()) spare_zero_rows(state, rows);
}

template <class T>
bool thaw_zero_lines(ListState<T>& state) {
  place_spare_rows(state);
  if (state.frozen_pairs.empty()) return true;
  double largest_u = -std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < state.rows; ++i) {
    if (state.frozen[i] == 0)
      largest_u = std::max(largest_u, state.pair_cost[i] - state.v[state.column_of[i]]);
  }
  double largest_v = -std::numeric_limits<double>::infinity();
  for (std::int64_t j = 0; j < state.columns; ++j) {
    if (state.row_of[j] != unassigned) largest_v = std::max(largest_v, state.v[j]);
  }
  // The dual t of a zero column, and -t of its row: largest_v <= t <= -largest_u.
  if (!(largest_v <= -largest_u)) return false;
  state.frozen_dual = largest_v > -std::numeric_limits<double>::infinity() ? largest_v : 0.0;
  for (const auto& [row, column] : state.frozen_pairs) {
    state.v[column] = state.frozen_dual;
    state.assign(row, column, 0.0);
  }
  return true;
}

template void freeze_zero_lines<float>(ListState<float>&);
template void freeze_zero_lines<double>(ListState<double>&);
template bool thaw_zero_lines<float>(ListState<float>&);
template bool thaw_zero_lines<double>(ListState<double>&);

}  // namespace rebasin::assignment
