#include "k_best/grid.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "assignment/costs/elements.hpp"
#include "simd/kernels.hpp"

namespace rebasin::k_best {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

bool is_wide(DType dtype) {
  return dtype == DType::int64 || dtype == DType::uint64;
}

const char* entry(const AnyCostView& view, std::int64_t i, std::int64_t j) {
  return static_cast<const char*>(view.data) + i * view.row_stride + j * view.column_stride;
}

// Unsigned numbers in the order of the costs, minimising.
std::uint64_t ordered_key(const AnyCostView& view, const char* at) {
  const std::uint64_t bits =
      assignment::read_bits(at, view.swapped_bytes) ^ (view.dtype == DType::int64 ? sign_bit : 0);
  return view.maximize ? ~bits : bits;
}

// Bits of a cost's magnitude that leave room for duals and path lengths.
int cost_bits(std::int64_t rows) {
  return 58 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(6 * rows + 8)));
}

OrientedView orient(const AnyCostView& cost) {
  const bool transposed = cost.rows > cost.columns;
  return {.view = transposed ? cost.transposed() : cost, .transposed = transposed};
}

// Traits of the costs that decide the scale.
struct Range {
  double largest = 0.0;   // finite magnitude
  double below = 0.0;     // the largest magnitude but that
  bool positive = false;  // whether `largest` occurs only as a positive cost
};

void widen(Range& range, double cost) {
  const double magnitude = std::abs(cost);
  if (magnitude > range.largest) {
    range.below = range.largest;
    range.largest = magnitude;
    range.positive = cost > 0.0;
  } else if (magnitude == range.largest) {
    range.positive = range.positive && cost > 0.0;
  } else if (magnitude > range.below) {
    range.below = magnitude;
  }
}

// Costs as doubles, in the memory of the grid.
bool read_doubles(Grid& grid, Range& range) {
  const AnyCostView& view = grid.source.view;
  const auto gather = assignment::choose_gather<double>(view.dtype, view.swapped_bytes);
  std::vector<double> values(grid.columns);
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    gather(entry(view, i, 0), view.column_stride, grid.columns, 0, values.data());
    std::int64_t* out = grid.row(i);
    for (std::int64_t j = 0; j < grid.columns; ++j) {
      const double cost = view.maximize ? -values[j] : values[j];
      if (!(cost > -infinity)) return false;
      if (cost < infinity) widen(range, cost);
      out[j] = std::bit_cast<std::int64_t>(cost);
    }
  }
  return true;
}

// Multiplies by a power of two that may itself lie beyond float64's range.
class Scale {
 public:
  explicit Scale(int exponent)
      : first_(std::ldexp(1.0, exponent / 2)), second_(std::ldexp(1.0, exponent - exponent / 2)) {}
  double operator()(double value) const { return value * first_ * second_; }

 private:
  double first_;
  double second_;
};

// `scaled` is `cost` on the grid; where that underflowed to zero, the sign of `cost` still counts.
std::int64_t round_down(double cost, double scaled) {
  const auto toward_zero = static_cast<std::int64_t>(scaled);
  return toward_zero - (static_cast<double>(toward_zero) > scaled || (scaled == 0.0 && cost < 0.0) ? 1 : 0);
}

// A cost that exceeds any total of the others, such as 1e6 for "not allowed", would leave them few bits.
// Totals are ordered by how often it is used, then by the others: a smaller marker gives the same order.
void scale_doubles(Grid& grid, const Range& range) {
  const int bits = cost_bits(grid.rows);
  const double others = range.below > 0.0 ? std::ldexp(1.0, std::ilogb(range.below) + 1) : 0.0;
  const double replacement =
      std::ldexp(others, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(4 * grid.rows))));
  const bool marked = range.positive && others > 0.0 && range.largest > replacement;
  const double top = marked ? replacement : range.largest;
  // 2^bits units hold the largest cost.
  grid.exponent = top > 0.0 ? std::ilogb(top) + 1 - bits : 0;
  const Scale scale(-grid.exponent);
  bool exact = true;
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    std::int64_t* row = grid.row(i);
    for (std::int64_t j = 0; j < grid.columns; ++j) {
      const auto cost = std::bit_cast<double>(row[j]);
      if (cost == infinity) {
        row[j] = forbidden;
        continue;
      }
      const double scaled = scale(marked && cost == range.largest ? replacement : cost);
      row[j] = round_down(cost, scaled);
      exact = exact && static_cast<double>(row[j]) == scaled && (scaled != 0.0 || cost == 0.0);
    }
  }
  grid.slack = exact ? 0 : grid.rows;
  grid.totals_exact = exact && !marked;
}

void read_wide(Grid& grid) {
  const AnyCostView& view = grid.source.view;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t most = 0;
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    for (std::int64_t j = 0; j < grid.columns; ++j) {
      const std::uint64_t key = ordered_key(view, entry(view, i, j));
      least = std::min(least, key);
      most = std::max(most, key);
    }
  }
  const int shift = std::max(0, static_cast<int>(std::bit_width(most - least)) - cost_bits(grid.rows));
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    std::int64_t* row = grid.row(i);
    for (std::int64_t j = 0; j < grid.columns; ++j) {
      row[j] = static_cast<std::int64_t>((ordered_key(view, entry(view, i, j)) - least) >> shift);
    }
  }
  grid.exponent = shift;
  grid.slack = shift == 0 ? 0 : grid.rows;
}

}  // namespace

void OrientedView::append(std::int64_t row, std::int64_t column, double factor,
                          std::vector<double>& terms) const {
  const char* at = entry(view, row, column);
  const double minimised = view.maximize ? -factor : factor;
  if (!wide_integers) {
    double value = 0.0;
    assignment::choose_gather<double>(view.dtype, view.swapped_bytes)(at, 0, 1, 0, &value);
    terms.push_back(minimised * value);
    return;
  }
  const std::uint64_t bits = assignment::read_bits(at, view.swapped_bytes);
  const auto low = static_cast<double>(bits & 0xffffffffu);
  const double high = view.dtype == DType::int64 ? static_cast<double>(static_cast<std::int64_t>(bits) >> 32)
                                                 : static_cast<double>(bits >> 32);
  terms.push_back(minimised * high * 0x1p32);
  terms.push_back(minimised * low);
}

bool read_grid(const AnyCostView& cost, Grid& grid) {
  grid.source = orient(cost);
  grid.rows = grid.source.view.rows;
  grid.columns = grid.source.view.columns;
  grid.stride = (grid.columns + simd::integer_lanes - 1) / simd::integer_lanes * simd::integer_lanes;
  grid.cost.assign((grid.rows + 1) * grid.stride, forbidden);
  std::fill_n(grid.row(grid.rows), grid.columns, std::int64_t{0});
  Range range;
  if (!read_doubles(grid, range)) return false;
  if (is_wide(cost.dtype) && range.largest >= 0x1p53) {
    grid.source.wide_integers = true;
    read_wide(grid);
  } else {
    scale_doubles(grid, range);
  }
  return true;
}

}  // namespace rebasin::k_best
