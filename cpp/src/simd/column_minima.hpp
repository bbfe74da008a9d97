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

}  // namespace
