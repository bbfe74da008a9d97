// Costs as integers on a grid, rows <= columns, minimising.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/assignment.hpp"

namespace rebasin::k_best {

// Forbidden entries, columns taken out of a search, and the border below which sums are finite. A cost's
// magnitude is at most 2^58 / (6 n + 8): duals and path lengths stay below `finite`, and nothing overflows.
constexpr std::int64_t forbidden = std::int64_t{1} << 61;
constexpr std::int64_t finite = std::int64_t{1} << 60;

// The caller's matrix in the orientation of the grid.
struct OrientedView {
  AnyCostView view;  // its rows are the grid's rows
  bool transposed = false;
  bool wide_integers = false;  // 64-bit integers beyond 2^53, whose values are two doubles each

  // Appends terms whose sum is the exact cost of an entry, minimised, times `factor`: +- a power of two.
  void append(std::int64_t row, std::int64_t column, double factor, std::vector<double>& terms) const;
};

struct Grid {
  OrientedView source;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t stride = 0;
  // (rows + 1) x stride: the last row is zero, and stands for the rows - columns rows without costs that
  // would make the problem square; padding is forbidden.
  std::vector<std::int64_t> cost;

  // A total on the grid is at most the exact one in units of the grid, and less than `slack` below it; 0:
  // equal.
  std::int64_t slack = 0;
  // Where the total on the grid times 2^exponent is the exact total.
  bool totals_exact = false;
  int exponent = 0;

  const std::int64_t* row(std::int64_t i) const { return cost.data() + i * stride; }
  std::int64_t* row(std::int64_t i) { return cost.data() + i * stride; }
};

// Reads the matrix; false: it holds NaN or the infinity that no assignment may use.
bool read_grid(const AnyCostView& cost, Grid& grid);

}  // namespace rebasin::k_best
