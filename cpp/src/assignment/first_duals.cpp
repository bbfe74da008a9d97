#include "assignment/first_duals.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "assignment/candidates.hpp"

namespace rebasin::assignment {
namespace {

constexpr int row_blocks = 4;
constexpr int rows_at_once = 8;

// Column minima over rows [first, last).
template <class T>
void find_minima(ListState<T>& state, std::int64_t first, std::int64_t last, std::vector<T>& buffers,
                 std::vector<T>& minima) {
  minima.assign(state.columns, std::numeric_limits<T>::infinity());
  const T* runs[rows_at_once];
  for (std::int64_t i = first; i < last; i += rows_at_once) {
    const int count = static_cast<int>(std::min<std::int64_t>(rows_at_once, last - i));
    for (int k = 0; k < count; ++k) {
      runs[k] = state.costs.row(i + k, state.costs.direct() ? nullptr : buffers.data() + k * state.columns);
    }
    state.kernels.lower_minima(runs, count, state.flip, state.columns, minima.data());
  }
  state.counters.entries_read += (last - first) * state.columns;
}

template <class T>
Outcome average_block_minima(ListState<T>& state, Interrupt& interrupt) {
  const std::int64_t m = state.columns;
  std::vector<T> minima;
  std::vector<T> buffers(state.costs.direct() ? 0 : rows_at_once * m);
  std::vector<double> sum(m, 0.0);
  std::vector<std::int32_t> blocks(m, 0);
  for (int block = 0; block < row_blocks; ++block) {
    if (interrupt.requested()) return Outcome::interrupted;
    find_minima(state, state.rows * block / row_blocks, state.rows * (block + 1) / row_blocks, buffers,
                minima);
    for (std::int64_t j = 0; j < m; ++j) {
      const bool finite = minima[j] < std::numeric_limits<T>::infinity();
      sum[j] += finite ? static_cast<double>(minima[j]) : 0.0;
      blocks[j] += finite ? 1 : 0;
    }
  }
  for (std::int64_t j = 0; j < m; ++j) {
    if (blocks[j] == 0 || !(sum[j] > -std::numeric_limits<double>::infinity())) return Outcome::beyond_lists;
    // Float32 precision keeps scans in float32 exact.
    state.v[j] = static_cast<double>(static_cast<T>(sum[j] / blocks[j]));
    state.v_up[j] = static_cast<T>(state.v[j]);
  }
  return Outcome::done;
}

// The magnitude of what matters: duals, and the candidates of a sample of rows.
template <class T>
double find_scale(ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 16;
  double scale = 0.0;
  for (std::int64_t j = 0; j < state.columns; ++j) scale = std::max(scale, std::abs(state.v[j]));
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  for (std::int64_t i = 0; i < state.rows; i += stride) {
    scan_row(state, i);
    for (int k = 0; k < std::min(state.found.count, simd::record_capacity); ++k) {
      scale = std::max(scale, std::abs(static_cast<double>(state.found.cost[k])));
    }
  }
  return scale;
}

template <class T>
bool choose_grid(ListState<T>& state) {
  // Bits below the scale: float32 keeps headroom above for costs and duals, float64 needs the bits more.
  constexpr int bits = sizeof(T) == 4 ? 46 : 49;
  constexpr double smallest = sizeof(T) == 4 ? 0x1p-140 : 0x1p-900;
  constexpr double largest = sizeof(T) == 4 ? 0x1p120 : 0x1p900;
  const double scale = find_scale(state);
  if (!(scale < largest)) return false;
  int exponent = 1;
  if (scale > 0.0) {
    if (scale < smallest) return false;
    std::frexp(scale, &exponent);
    ++exponent;
  }
  state.grid.step = std::ldexp(1.0, exponent - bits);
  state.grid.magic = 0x1.8p52 * state.grid.step;
  state.grid.limit = 0x1p51 * state.grid.step;
  return true;
}

}  // namespace

template <class T>
Outcome start_duals(ListState<T>& state, Interrupt& interrupt) {
  if (state.rows == state.columns) {
    const Outcome outcome = average_block_minima(state, interrupt);
    if (outcome != Outcome::done) return outcome;
  }
  if (!choose_grid(state)) return Outcome::beyond_lists;
  for (std::int64_t j = 0; j < state.columns; ++j) state.set_dual(j, state.grid.round(state.v[j]));
  return Outcome::done;
}

template Outcome start_duals<float>(ListState<float>&, Interrupt&);
template Outcome start_duals<double>(ListState<double>&, Interrupt&);

}  // namespace rebasin::assignment
