#include "assignment/costs/cost_range.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "assignment/proof/exact_sums.hpp"
#include "assignment/strategy/tuning.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// Ratio of offset to spread above which the offset takes more bits of float64 than rounding does.
constexpr double dominating = tuning::dominating_offset;

// Several chains, which a compiler turns into vectors.
constexpr int lanes = 8;

// Calls take(cost, lane) for every entry of the row.
template <class T, class Take>
void for_each_lane(const T* run, std::int64_t columns, double sign, Take take) {
  std::int64_t j = 0;
  for (; j + lanes <= columns; j += lanes) {
    for (int k = 0; k < lanes; ++k) take(sign * static_cast<double>(run[j + k]), k);
  }
  for (int k = 0; j < columns; ++j, ++k) take(sign * static_cast<double>(run[j]), k);
}

template <class T>
Attempt find_extremes(const CostRows<T>& costs, double guess, simd::Extremes& found, Interrupt& interrupt) {
  const simd::KernelsFor<T>& kernels = simd::kernels<T>();
  std::vector<T> buffer = costs.make_buffer();
  found = {infinity, -infinity, -infinity, false};
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    if (interrupt.requested()) return Attempt::interrupted;
    const simd::Extremes row =
        kernels.row_extremes(costs.row(i, buffer.data()), costs.sign_mask(), costs.columns(), guess);
    if (row.invalid) return Attempt::invalid;
    found.least = std::min(found.least, row.least);
    found.largest = std::max(found.largest, row.largest);
    found.second = std::max(found.second, row.second);
  }
  return Attempt::solved;
}

// Whether the least can be subtracted from all but the largest.
template <class T>
bool subtracts_exactly(const CostRows<T>& costs, const CostRange& range, Interrupt& interrupt) {
  std::vector<T> buffer = costs.make_buffer();
  bool inexact[lanes] = {};
  for (std::int64_t i = 0; i < costs.rows() && !interrupt.requested(); ++i) {
    for_each_lane(costs.row(i, buffer.data()), costs.columns(), costs.scale(), [&](double cost, int lane) {
      const double rest = cost - range.least;
      const bool rounds = difference_error(cost, range.least, rest) != 0.0 ||
                          static_cast<double>(static_cast<T>(rest)) != rest;
      inexact[lane] |= rounds && cost < range.largest;
    });
  }
  return std::none_of(inexact, inexact + lanes, [](bool rounds) { return rounds; });
}

// Signed or unsigned integers in one order.
struct IntegerRange {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t second = std::numeric_limits<std::int64_t>::min();
  std::int64_t largest = std::numeric_limits<std::int64_t>::min();

  void take(std::int64_t x) {
    least = std::min(least, x);
    if (x > largest) {
      second = largest;
      largest = x;
    } else if (x < largest) {
      second = std::max(second, x);
    }
  }
};

std::uint64_t distance(std::int64_t high, std::int64_t low) {
  return static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
}

bool has_wide_integers(const AnyCostView& view) {
  return view.dtype == DType::int64 || view.dtype == DType::uint64;
}

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

// Unsigned integers in the order of signed ones: less 2^63.
IntegerRange find_integers(const AnyCostView& view) {
  const std::uint64_t flip = view.dtype == DType::int64 ? 0 : sign_bit;
  IntegerRange range;
  for (std::int64_t i = 0; i < view.rows; ++i) {
    const char* at = static_cast<const char*>(view.data) + i * view.row_stride;
    for (std::int64_t j = 0; j < view.columns; ++j, at += view.column_stride) {
      range.take(static_cast<std::int64_t>(read_bits(at, view.swapped_bytes) ^ flip));
    }
  }
  return range;
}

// Whether some 64-bit integer may lie beyond +-2^53.
bool beyond_float64(const AnyCostView& view) {
  constexpr std::uint64_t held = std::uint64_t{1} << 53;
  const std::uint64_t shift = view.dtype == DType::int64 ? held : 0;
  const int bits = view.dtype == DType::int64 ? 54 : 53;
  std::uint64_t beyond = 0;
  const bool by_columns = std::abs(view.column_stride) > std::abs(view.row_stride);
  const std::int64_t lines = by_columns ? view.columns : view.rows;
  const std::int64_t length = by_columns ? view.rows : view.columns;
  const std::int64_t line_stride = by_columns ? view.column_stride : view.row_stride;
  const std::int64_t stride = by_columns ? view.row_stride : view.column_stride;
  for (std::int64_t i = 0; i < lines; ++i) {
    const char* line = static_cast<const char*>(view.data) + i * line_stride;
    for (std::int64_t j = 0; j < length; ++j) {
      std::uint64_t x;
      std::memcpy(&x, line + j * stride, sizeof x);
      beyond |= (x + shift) >> bits;
    }
  }
  return beyond != 0 || view.swapped_bytes;
}

}  // namespace

template <class T>
Attempt measure_range(const CostRows<T>& costs, CostRange& range, Interrupt& interrupt) {
  // The largest entry of the first row is often the largest of all; else a second read finds the largest
  // below it.
  double guess = -infinity;
  for (std::int64_t j = 0; j < costs.columns(); ++j) {
    const double cost = costs.at(0, j);
    guess = cost < infinity ? std::max(guess, cost) : guess;
  }
  for (;;) {
    simd::Extremes found;
    const Attempt attempt = find_extremes(costs, guess, found, interrupt);
    if (attempt != Attempt::solved) return attempt;
    range.least = found.least;
    range.largest = found.largest;
    range.second_largest = std::max(found.second, range.least);
    if (range.largest == guess || !(range.least < infinity)) break;
    guess = range.largest;
  }
  range.any = range.least < infinity;
  const bool offset = std::abs(range.least) > dominating * (range.second_largest - range.least);
  range.offset_is_exact =
      range.any && offset && std::abs(range.least) < simd::huge && subtracts_exactly(costs, range, interrupt);
  return Attempt::solved;
}

template <class T>
std::optional<Transform> choose_transform(const CostRange& range, std::int64_t rows) {
  Transform transform;
  const double magnitude = std::max(std::abs(range.least), std::abs(range.largest));
  const double spread = range.second_largest - range.least;
  const double marker = 4.0 * static_cast<double>(rows) * (spread > 0.0 ? spread : 1.0);
  const double others = std::max(std::abs(range.least), std::abs(range.second_largest));
  const bool marked = range.largest > range.second_largest && others + marker < simd::huge &&
                      range.largest / 2 - range.least / 2 > marker;
  const double end = marked ? range.second_largest : range.largest;
  if (range.offset_is_exact && (marked || std::abs(range.least) > dominating * (end - range.least))) {
    transform.offset = range.least;
  }
  if (marked) {
    transform.marker_from = range.largest;
    // A power of two, which every floating-point type holds.
    int exponent = 0;
    std::frexp(std::max(marker, std::abs(range.least - transform.offset) * 0x1p-20), &exponent);
    transform.marker = range.least - transform.offset + std::ldexp(1.0, exponent);
    if (sizeof(T) == 4) {
      transform.marker = static_cast<double>(
          std::nextafter(static_cast<float>(transform.marker), std::numeric_limits<float>::infinity()));
    }
    if (!(transform.marker < range.largest - transform.offset)) transform.marker_from = infinity;
  } else if (magnitude >= simd::huge) {
    transform.factor = shrink;
  }
  const bool changes = transform.offset != 0.0 || transform.factor != 1.0 || transform.marker_from < infinity;
  return changes ? std::optional(transform) : std::nullopt;
}

Rounded remove_integer_offset(const AnyCostView& view, CostRows<double>& costs) {
  constexpr std::int64_t held = std::int64_t{1} << 53;
  if (!has_wide_integers(view) || !beyond_float64(view)) return Rounded::none;
  const bool is_signed = view.dtype == DType::int64;
  const IntegerRange range = find_integers(view);
  if (view.rows * view.columns == 0) return Rounded::none;
  const std::int64_t zero = is_signed ? 0 : std::numeric_limits<std::int64_t>::min();
  const auto fits = [](std::uint64_t x) { return x <= static_cast<std::uint64_t>(held); };
  const bool plain =
      is_signed ? range.least >= -held && range.largest <= held : fits(distance(range.largest, zero));
  if (plain) return Rounded::none;
  const std::int64_t second = std::max(range.second, range.least);
  const bool second_plain = is_signed ? range.least >= -held && second <= held : fits(distance(second, zero));
  if (second_plain && !view.maximize) return Rounded::largest;
  if (!fits(distance(range.largest, range.least))) return Rounded::others;
  costs.set_integer_offset(
      static_cast<std::int64_t>(is_signed ? static_cast<std::uint64_t>(range.least)
                                          : static_cast<std::uint64_t>(range.least) ^ sign_bit));
  return Rounded::none;
}

double largest_rounding(const AnyCostView& view) {
  if (!has_wide_integers(view) || view.rows * view.columns == 0 || !beyond_float64(view)) return 0.0;
  const IntegerRange range = find_integers(view);
  // In the order of signed integers the unsigned ones begin at the least.
  const double zero = view.dtype == DType::int64 ? 0.0 : -0x1p63;
  const double magnitude = std::max(std::abs(static_cast<double>(range.least) - zero),
                                    std::abs(static_cast<double>(range.largest) - zero));
  return magnitude < 0x1p53 ? 0.0 : std::ldexp(1.0, std::ilogb(magnitude) - 53);
}

double price_beyond(const CostRange& range, std::int64_t rows) {
  const double spread = std::max(range.largest - range.least, std::abs(range.largest) * 0x1p-40);
  return range.largest + (static_cast<double>(rows) + 1.0) * (spread > 0.0 ? spread : 1.0);
}

template Attempt measure_range<float>(const CostRows<float>&, CostRange&, Interrupt&);
template Attempt measure_range<double>(const CostRows<double>&, CostRange&, Interrupt&);
template std::optional<Transform> choose_transform<float>(const CostRange&, std::int64_t);
template std::optional<Transform> choose_transform<double>(const CostRange&, std::int64_t);

}  // namespace rebasin::assignment
