// A SparseCostView with its types known.
#pragma once

#include "rebasin/sparse_assignment.hpp"

namespace rebasin::sparse {

template <class T, class I>
struct TypedView {
  using Value = T;

  const T* values;
  const I* row_starts;
  const I* columns_of;
  std::int64_t rows;
  std::int64_t columns;
  bool maximize;

  std::int64_t begin(std::int64_t row) const { return static_cast<std::int64_t>(row_starts[row]); }
  std::int64_t end(std::int64_t row) const { return static_cast<std::int64_t>(row_starts[row + 1]); }
};

template <class T, class Action>
auto with_indices(const SparseCostView& view, Action action) {
  const auto typed = [&]<class I>(const I*) {
    return TypedView<T, I>{static_cast<const T*>(view.values),
                           static_cast<const I*>(view.row_starts),
                           static_cast<const I*>(view.columns_of),
                           view.rows,
                           view.columns,
                           view.maximize};
  };
  if (view.wide_indices) return action(typed(static_cast<const std::int64_t*>(nullptr)));
  return action(typed(static_cast<const std::int32_t*>(nullptr)));
}

// Calls action(TypedView<T, I>).
template <class Action>
auto with_types(const SparseCostView& view, Action action) {
  switch (view.dtype) {
    case DType::float32:
      return with_indices<float>(view, action);
    case DType::int64:
      return with_indices<std::int64_t>(view, action);
    default:
      break;
  }
  return with_indices<double>(view, action);
}

}  // namespace rebasin::sparse
