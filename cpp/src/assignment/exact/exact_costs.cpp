#include "assignment/exact/exact_costs.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "assignment/proof/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

std::int64_t magnitude(std::int64_t stride) {
  return stride < 0 ? -stride : stride;
}

// `distance` less its nearest float64.
double rounding_error(std::uint64_t distance) {
  const auto rounded = static_cast<double>(distance);
  if (rounded >= 0x1p64) return -static_cast<double>(0 - distance);
  return static_cast<double>(static_cast<std::int64_t>(distance - static_cast<std::uint64_t>(rounded)));
}

template <class S>
EntryDifference exact_integer_difference(S a, S b) {
  const bool below = a < b;
  const std::uint64_t distance = below ? static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a)
                                       : static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b);
  const auto rounded = static_cast<double>(distance);
  const double error = rounding_error(distance);
  return below ? EntryDifference{-rounded, -error} : EntryDifference{rounded, error};
}

// out[j] = factor * entry j - minus, for entries side by side that need no alignment.
template <class T>
void contiguous_differences(const char* first, std::int64_t count, double factor, double minus, double* out) {
  for (std::int64_t j = 0; j < count; ++j) {
    T entry;
    std::memcpy(&entry, first + j * std::int64_t{sizeof(T)}, sizeof(T));
    out[j] = factor * static_cast<double>(entry) - minus;
  }
}

}  // namespace

ExactCosts::ExactCosts(const AnyCostView& view)
    : data_(static_cast<const char*>(view.data)),
      element_(view.dtype),
      swapped_bytes_(view.swapped_bytes),
      transposed_(view.rows > view.columns ||
                  (view.rows == view.columns && magnitude(view.row_stride) < magnitude(view.column_stride))),
      maximize_(view.maximize),
      rows_(transposed_ ? view.columns : view.rows),
      columns_(transposed_ ? view.rows : view.columns),
      row_stride_(transposed_ ? view.column_stride : view.row_stride),
      column_stride_(transposed_ ? view.row_stride : view.column_stride),
      gather_(choose_gather<double>(view.dtype, view.swapped_bytes)),
      factor_(view.maximize ? -1.0 : 1.0) {}

void ExactCosts::set_shift(int shift) {
  shift_ = shift;
  factor_ = std::ldexp(maximize_ ? -1.0 : 1.0, -shift);
}

std::uint64_t ExactCosts::bits(const char* at) const {
  return read_bits(at, swapped_bytes_);
}

double ExactCosts::counted(const char* at) const {
  double value;
  gather_(at, 0, 1, 0, &value);
  return factor_ * value;
}

Dyadic ExactCosts::entry(std::int64_t i, std::int64_t j) const {
  const char* at = address(i, j);
  Dyadic value;
  if (element_ == DType::int64) {
    value = to_dyadic(static_cast<std::int64_t>(bits(at)));
  } else if (element_ == DType::uint64) {
    value = to_dyadic(bits(at));
  } else {
    double entry;
    gather_(at, 0, 1, 0, &entry);
    value = to_dyadic(entry);
  }
  return maximize_ ? -value : value;
}

double ExactCosts::nearest(std::int64_t i, std::int64_t j) const {
  return counted(address(i, j));
}

template <class S>
void ExactCosts::integer_differences(const char* first, const char* base, double* out) const {
  const S minus = static_cast<S>(bits(base));
  for (std::int64_t j = 0; j < columns_; ++j) {
    const auto entry = static_cast<S>(bits(first + j * column_stride_));
    out[j] = factor_ * exact_integer_difference(entry, minus).rounded;
  }
}

void ExactCosts::differences(std::int64_t i, std::int64_t base, double* out) const {
  const char* first = address(i, 0);
  const char* base_at = address(i, base);
  if (element_ == DType::int64) return integer_differences<std::int64_t>(first, base_at, out);
  if (element_ == DType::uint64) return integer_differences<std::uint64_t>(first, base_at, out);
  const double minus = counted(base_at);
  if (holds_contiguous<double>(DType::float64)) {
    return contiguous_differences<double>(first, columns_, factor_, minus, out);
  }
  if (holds_contiguous<float>(DType::float32)) {
    return contiguous_differences<float>(first, columns_, factor_, minus, out);
  }
  gather_(first, column_stride_, columns_, 0, out);
  for (std::int64_t j = 0; j < columns_; ++j) out[j] = factor_ * out[j] - minus;
}

EntryDifference ExactCosts::difference(std::int64_t i, std::int64_t j, std::int64_t base) const {
  const char* at = address(i, j);
  const char* base_at = address(i, base);
  if (!wide()) {
    const double cost = counted(at);
    const double minus = counted(base_at);
    const double rounded = cost - minus;
    return {rounded, std::isinf(rounded) ? 0.0 : difference_error(cost, minus, rounded)};
  }
  const EntryDifference found = element_ == DType::int64
                                    ? exact_integer_difference(static_cast<std::int64_t>(bits(at)),
                                                               static_cast<std::int64_t>(bits(base_at)))
                                    : exact_integer_difference(bits(at), bits(base_at));
  return {factor_ * found.rounded, factor_ * found.error};
}

}  // namespace rebasin::assignment
