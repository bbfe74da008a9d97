#include <algorithm>
#include <cmath>

#include "assignment/lists/stages.hpp"

namespace rebasin::assignment {
namespace {

template <class T>
std::vector<std::int32_t> sample_rows(const ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 16;
  std::vector<std::int32_t> sample;
  const std::int64_t stride = std::max<std::int64_t>(64, state.rows / sampled_rows);
  for (std::int64_t i = 0; i < state.rows; i += stride) sample.push_back(static_cast<std::int32_t>(i));
  return sample;
}

// The magnitude of the duals, and of the candidates of a sample of rows.
template <class T>
double find_scale(ListState<T>& state, std::span<const std::int32_t> sample) {
  double scale = 0.0;
  for (std::int64_t j = 0; j < state.columns; ++j) scale = std::max(scale, std::abs(state.duals.v[j]));
  for (const std::int32_t i : sample) {
    scan_row(state, i);
    for (int k = 0; k < std::min(state.lists.found.count, simd::record_capacity); ++k) {
      scale = std::max(scale, std::abs(static_cast<double>(state.lists.found.cost[k])));
    }
  }
  return scale;
}

template <class T>
bool choose_grid(ListState<T>& state, std::span<const std::int32_t> sample) {
  // Bits below the scale: float32 keeps headroom above for costs and duals, float64 needs the bits more.
  constexpr int bits = sizeof(T) == 4 ? 46 : 49;
  constexpr double smallest = sizeof(T) == 4 ? 0x1p-140 : 0x1p-900;
  constexpr double largest = sizeof(T) == 4 ? 0x1p120 : 0x1p900;
  const double scale = find_scale(state, sample);
  if (!(scale < largest)) return false;
  int exponent = 1;
  if (scale > 0.0) {
    if (scale < smallest) return false;
    std::frexp(scale, &exponent);
    ++exponent;
  }
  state.duals.grid.step = std::ldexp(1.0, exponent - bits);
  state.duals.grid.magic = 0x1.8p52 * state.duals.grid.step;
  state.duals.grid.limit = 0x1p51 * state.duals.grid.step;
  return true;
}

}  // namespace

template <class T>
Attempt put_on_grid(ListState<T>& state) {
  return put_on_grid(state, sample_rows(state));
}

template <class T>
Attempt put_on_grid(ListState<T>& state, std::span<const std::int32_t> sample) {
  if (!choose_grid(state, sample)) return Attempt::declined;
  for (std::int64_t j = 0; j < state.columns; ++j)
    state.duals.set(j, state.duals.grid.round(state.duals.v[j]));
  return Attempt::solved;
}

template <class T>
Attempt adopt_duals(ListState<T>& state, const double* duals) {
  const double sign = state.costs.scale() < 0 ? -1.0 : 1.0;
  const bool square = state.rows == state.columns;
  for (std::int64_t j = 0; j < state.columns; ++j) {
    const double dual = sign * duals[j];
    if (!std::isfinite(dual)) return Attempt::declined;
    state.duals.set(j, square ? dual : std::min(dual, 0.0));
  }
  if (!choose_grid(state, sample_rows(state))) return Attempt::declined;
  for (std::int64_t j = 0; j < state.columns; ++j)
    state.duals.set(j, state.duals.grid.round(state.duals.v[j]));
  return Attempt::solved;
}

template Attempt put_on_grid<float>(ListState<float>&);
template Attempt put_on_grid<float>(ListState<float>&, std::span<const std::int32_t>);
template Attempt adopt_duals<float>(ListState<float>&, const double*);
template Attempt put_on_grid<double>(ListState<double>&);
template Attempt put_on_grid<double>(ListState<double>&, std::span<const std::int32_t>);
template Attempt adopt_duals<double>(ListState<double>&, const double*);

}  // namespace rebasin::assignment
