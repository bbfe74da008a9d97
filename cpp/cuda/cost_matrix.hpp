// A strided cost matrix on the device, and the grid on which arithmetic with its entries is exact.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/host_device.hpp"
#include "rebasin/cuda.hpp"

namespace rebasin::cuda {

// Minimised; rows <= columns, transposed if need be. Strides count elements and may be negative. Owns
// nothing.
template <class T>
struct CostMatrix {
  const T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  bool negate = false;  // the caller maximises

  REBASIN_HD double at(std::int64_t row, std::int64_t column) const {
    const auto entry = static_cast<double>(data[row * row_stride + column * column_stride]);
    return negate ? -entry : entry;
  }
};

template <class T>
CostMatrix<T> cost_matrix(const PricedMatrix& matrix) {
  return {static_cast<const T*>(matrix.costs),
          matrix.rows,
          matrix.columns,
          matrix.row_stride,
          matrix.column_stride,
          matrix.maximize};
}

// Costs and duals are multiples of a power of two within +-limit, so that every sum and comparison of the
// search is exact: matched entries are exactly tight, nothing drifts, and every lane finds the same.
struct Grid {
  double step = 0.0;
  double magic = 0.0;  // (x + magic) - magic rounds to a multiple of step; 0 leaves x as it is
  double limit = 0.0;

  REBASIN_HD double round(double x) const { return (x + magic) - magic; }
};

// The grid for costs of at most `largest` magnitude; limit 0 where none can be had. Float32 keeps bits of
// headroom for duals of structured costs; float64 needs the bits more.
template <class T>
REBASIN_HD Grid grid_for(double largest) {
  constexpr int bits_below = sizeof(T) == 4 ? 46 : 49;
  constexpr int bits_above = 51 - bits_below;
  Grid grid;
  if (!(largest > 0.0)) return grid;
  const int exponent = ::ilogb(largest) + 1;
  if (exponent > 960 || exponent < -960) return grid;
  grid.step = ::ldexp(1.0, exponent - bits_below);
  grid.magic = 1.5 * ::ldexp(1.0, exponent - bits_below + 52);
  grid.limit = ::ldexp(1.0, exponent + bits_above);
  return grid;
}

}  // namespace rebasin::cuda
