// Loops over a row of costs, for the bottleneck assignment. Plain, for the compiler to vectorise.
#pragma once

#include <cstdint>
#include <limits>

#include "simd/kernels.hpp"

namespace {

template <class T>
rebasin::simd::RowLeast<T> lower_row(const T* __restrict row, T* __restrict minima, std::int64_t count) {
  constexpr std::int64_t lanes = 16;
  constexpr T top = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                         : std::numeric_limits<T>::max();
  // Minima of lanes: the order of a single chain would keep it scalar.
  T least[lanes];
  unsigned char nan[lanes] = {};
  for (T& lane : least) lane = top;
  std::int64_t j = 0;
  for (; j + lanes <= count; j += lanes) {
    for (std::int64_t k = 0; k < lanes; ++k) {
      const T cost = row[j + k];
      minima[j + k] = cost < minima[j + k] ? cost : minima[j + k];
      least[k] = cost < least[k] ? cost : least[k];
      nan[k] |= cost != cost;
    }
  }
  rebasin::simd::RowLeast<T> found{top, false};
  for (std::int64_t k = 0; k < lanes; ++k) {
    found.least = least[k] < found.least ? least[k] : found.least;
    found.nan = found.nan || nan[k] != 0;
  }
  for (; j < count; ++j) {
    minima[j] = row[j] < minima[j] ? row[j] : minima[j];
    found.least = row[j] < found.least ? row[j] : found.least;
    found.nan = found.nan || row[j] != row[j];
  }
  return found;
}

template <class T>
void mark_at_most(const T* row, T threshold, std::uint64_t* bits, std::int64_t count) {
  std::int64_t j = 0;
  for (; j + 64 <= count; j += 64) {
    unsigned char bytes[64];
    for (std::int64_t k = 0; k < 64; ++k) bytes[k] = row[j + k] <= threshold ? 1 : 0;
    std::uint64_t word = 0;
    for (std::int64_t k = 0; k < 8; ++k) {
      std::uint64_t eight = 0;
      __builtin_memcpy(&eight, bytes + 8 * k, 8);
      // The product gathers the lowest bit of each byte in the highest byte.
      word |= (eight * 0x0102040810204080u >> 56) << (8 * k);
    }
    *bits++ = word;
  }
  if (j == count) return;
  std::uint64_t word = 0;
  for (std::int64_t k = 0; j + k < count; ++k) word |= std::uint64_t{row[j + k] <= threshold} << k;
  *bits = word;
}

}  // namespace
