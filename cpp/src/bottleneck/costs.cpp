#include "bottleneck/costs.hpp"

#include <algorithm>
#include <type_traits>

#include "assignment/costs/elements.hpp"

namespace rebasin::bottleneck {
namespace {

template <class T>
bool lies_as(const AnyCostView& view) {
  const DType same = std::is_integral_v<T> ? DType::int64 : floating_dtype<T>;
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  return view.dtype == same && !view.swapped_bytes && !view.maximize && view.column_stride == size &&
         view.row_stride == size * view.columns && reinterpret_cast<std::uintptr_t>(view.data) % size == 0;
}

void gather_row(const AnyCostView& view, const char* at, std::int64_t count, std::int64_t* out) {
  // Unsigned numbers lose their highest bit, negated ones all bits: the order of signed numbers.
  const std::uint64_t sign_bits =
      (view.dtype == DType::uint64 ? std::uint64_t{1} << 63 : 0) ^ (view.maximize ? ~std::uint64_t{0} : 0);
  for (std::int64_t j = 0; j < count; ++j) {
    const std::uint64_t bits = assignment::read_bits(at + j * view.column_stride, view.swapped_bytes);
    out[j] = static_cast<std::int64_t>(bits ^ sign_bits);
  }
}

template <class T>
void gather_row(const AnyCostView& view, const char* at, std::int64_t count, T* out) {
  assignment::choose_gather<T>(view.dtype, view.swapped_bytes)(at, view.column_stride, count, 0, out);
  if (!view.maximize) return;
  for (std::int64_t j = 0; j < count; ++j) out[j] = -out[j];
}

}  // namespace

template <class T>
Costs<T>::Costs(const AnyCostView& cost)
    : rows_(std::min(cost.rows, cost.columns)),
      columns_(std::max(cost.rows, cost.columns)),
      transposed_(cost.rows > cost.columns) {
  const AnyCostView view = transposed_ ? cost.transposed() : cost;
  if (lies_as<T>(view)) {
    first_ = static_cast<const T*>(view.data);
    return;
  }
  copy_.resize(rows_ * columns_);
  for (std::int64_t i = 0; i < rows_; ++i) {
    gather_row(view, static_cast<const char*>(view.data) + i * view.row_stride, columns_,
               copy_.data() + i * columns_);
  }
  first_ = copy_.data();
}

template class Costs<float>;
template class Costs<double>;
template class Costs<std::int64_t>;

}  // namespace rebasin::bottleneck
