// Loops over a row of costs, compiled once per instruction-set level.
#pragma once

#include <cstdint>
#include <type_traits>

namespace rebasin::bottleneck {

template <class T>
struct RowKernels {
  // minima[j] = min(minima[j], row[j]); returns the least row[j], and sets `nan` where one is no number.
  T (*lower)(const T* row, T* minima, std::int64_t count, bool& nan);

  // Bit j of `bits` says whether row[j] <= threshold; bits beyond `count` in the last word are zero.
  void (*mark)(const T* row, T threshold, std::uint64_t* bits, std::int64_t count);
};

struct Kernels {
  const char* level;
  RowKernels<float> floats;
  RowKernels<double> doubles;
  RowKernels<std::int64_t> integers;
};

// The table of the level that rebasin::simd_level() names.
const Kernels& kernels();

template <class T>
const RowKernels<T>& row_kernels() {
  if constexpr (std::is_same_v<T, float>) {
    return kernels().floats;
  } else if constexpr (std::is_same_v<T, double>) {
    return kernels().doubles;
  } else {
    return kernels().integers;
  }
}

}  // namespace rebasin::bottleneck
