// Column minima of a few rows at a time.
#pragma once

#include "simd/lanes.hpp"

namespace {

template <class T>
void lower_minima(const T* const* runs, int count, T flip, std::int64_t columns, T* minima) {
  using L = Lanes<T>;
  const auto sign = L::all(flip);
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) {
    auto least = L::load(minima + j);
    for (int k = 0; k < count; ++k) least = L::min(L::flip(L::load(runs[k] + j), sign), least);
    L::store(minima + j, least);
  }
  const bool negate = negates(flip);
  for (; j < columns; ++j) {
    for (int k = 0; k < count; ++k) {
      const T cost = negate ? -runs[k][j] : runs[k][j];
      minima[j] = cost < minima[j] ? cost : minima[j];
    }
  }
}

template <class T>
void add_minima(const T* minima, std::int64_t columns, T* sum, T* squares, T* blocks) {
  using L = Lanes<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const auto zero = L::all(T(0));
  const auto one = L::all(T(1));
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) {
    const auto least = L::load(minima + j);
    const std::uint32_t finite = L::below(least, L::all(infinity));
    const auto value = L::blend(zero, least, finite);
    L::store(sum + j, L::add(L::load(sum + j), value));
    L::store(squares + j, L::add(L::load(squares + j), L::mul(value, value)));
    L::store(blocks + j, L::add(L::load(blocks + j), L::blend(zero, one, finite)));
  }
  for (; j < columns; ++j) {
    const bool finite = minima[j] < infinity;
    const T value = finite ? minima[j] : T(0);
    const T square = value * value;
    sum[j] += value;
    squares[j] += square;
    blocks[j] += finite ? T(1) : T(0);
  }
}

}  // namespace
