#include <algorithm>
#include <limits>
#include <numeric>

#include "assignment/lists/start/start.hpp"

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

std::vector<std::uint8_t> paired_columns(const Presolve& presolve, std::int64_t columns) {
  std::vector<std::uint8_t> paired(columns, 0);
  for (const auto& [row, column] : presolve.pairs) paired[column] = 1;
  return paired;
}

// More rows of zeros than columns of zeros: the other rows then face a rectangle, with duals of at most zero,
// and zero where no other row goes.
template <class T>
void remove_unpaired_rows(ListState<T>& state, const std::vector<std::int32_t>& zero_rows) {
  for (const std::int32_t row : zero_rows) {
    if (state.presolve.removed[row] == 0) state.presolve.unpaired_rows.push_back(row);
    state.presolve.removed[row] = 1;
  }
  const std::vector<std::uint8_t> taken = paired_columns(state.presolve, state.columns);
  for (std::int64_t j = 0; j < state.columns; ++j) {
    if (taken[j] == 0) state.duals.set(j, 0.0);
  }
}

template <class T>
void match_unpaired_rows(ListState<T>& state) {
  if (state.presolve.unpaired_rows.empty()) return;
  const std::vector<std::uint8_t> taken = paired_columns(state.presolve, state.columns);
  std::int32_t j = 0;
  for (const std::int32_t row : state.presolve.unpaired_rows) {
    while (taken[j] != 0 || state.matching.row_of[j] != unassigned) ++j;
    state.matching.assign(row, j, 0.0);
  }
}

}  // namespace

template <class T>
void presolve_zeros(ListState<T>& state) {
  if (state.rows != state.columns) return;
  const std::vector<std::int32_t> rows = find_zero_rows(state);
  if (rows.size() < 2 || !gains_beside_zero(state)) return;
  const std::vector<std::int32_t> columns = find_zero_columns(state);
  const std::size_t pairs = std::min(rows.size(), columns.size());
  for (std::size_t k = 0; k < pairs; ++k) {
    state.presolve.removed[rows[k]] = 1;
    state.presolve.pairs.emplace_back(rows[k], columns[k]);
    state.duals.set(columns[k], -state.duals.grid.limit / 4);
  }
  if (rows.size() > columns.size()) remove_unpaired_rows(state, rows);
}

template <class T>
bool restore_zeros(ListState<T>& state) {
  match_unpaired_rows(state);
  if (state.presolve.pairs.empty()) return true;
  double largest_u = -std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < state.rows; ++i) {
    if (state.presolve.removed[i] == 0)
      largest_u =
          std::max(largest_u, state.matching.pair_cost[i] - state.duals.v[state.matching.column_of[i]]);
  }
  double largest_v = -std::numeric_limits<double>::infinity();
  for (std::int64_t j = 0; j < state.columns; ++j) {
    if (state.matching.row_of[j] != unassigned) largest_v = std::max(largest_v, state.duals.v[j]);
  }
  // The dual t of a zero column, and -t of its row: largest_v <= t <= -largest_u.
  if (!(largest_v <= -largest_u)) return false;
  state.presolve.dual = largest_v > -std::numeric_limits<double>::infinity() ? largest_v : 0.0;
  for (const auto& [row, column] : state.presolve.pairs) {
    state.duals.v[column] = state.presolve.dual;
    state.matching.assign(row, column, 0.0);
  }
  return true;
}

template void presolve_zeros<float>(ListState<float>&);
template void presolve_zeros<double>(ListState<double>&);
template bool restore_zeros<float>(ListState<float>&);
template bool restore_zeros<double>(ListState<double>&);

}  // namespace rebasin::assignment
