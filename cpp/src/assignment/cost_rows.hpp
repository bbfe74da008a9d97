// The problem as the stages see it: minimise over rows <= columns, each row contiguous.
#pragma once

#include <cstdint>

#include "assignment/elements.hpp"
#include "assignment/row_source.hpp"
#include "rebasin/assignment.hpp"

namespace rebasin::assignment {

// Rows of an AnyCostView, turned so that rows() <= columns(), as contiguous runs of T (float or double).
//
// An entry counts as scale() * run[j]; the scale is a signed power of two, so the product is exact. Runs
// point into the caller's matrix where its layout allows, else into the buffer passed. Immutable but for
// set_scale and set_source.
template <class T>
class CostRows {
 public:
  explicit CostRows(const AnyCostView& view) {
    const auto magnitude = [](std::int64_t stride) { return stride < 0 ? -stride : stride; };
    const bool rows_run = magnitude(view.column_stride) <= magnitude(view.row_stride);
    turned_ = view.rows > view.columns || (view.rows == view.columns && !rows_run);
    data_ = static_cast<const char*>(view.data);
    rows_ = turned_ ? view.columns : view.rows;
    columns_ = turned_ ? view.rows : view.columns;
    row_stride_ = turned_ ? view.column_stride : view.row_stride;
    column_stride_ = turned_ ? view.row_stride : view.column_stride;
    gather_ = choose_gather<T>(view.element, view.swapped_bytes);
    constexpr Element own = sizeof(T) == 4 ? Element::float32 : Element::float64;
    const auto address = reinterpret_cast<std::uintptr_t>(data_) | static_cast<std::uintptr_t>(row_stride_);
    direct_ = view.element == own && !view.swapped_bytes && column_stride_ == std::int64_t{sizeof(T)} &&
              address % alignof(T) == 0;
    scale_ = view.maximize ? -1.0 : 1.0;
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  bool turned() const { return turned_; }
  bool direct() const { return direct_ && source_ == nullptr; }
  double scale() const { return scale_; }
  void set_scale(double scale) { scale_ = scale; }

  // Rows come from `source`, whose memory the view is of; not owned.
  void set_source(RowSource<T>* source) { source_ = source; }

  // Row i; `buffer` holds columns() entries and is written only when the matrix cannot be read in place.
  const T* row(std::int64_t i, T* buffer) const {
    if (source_ != nullptr) return source_->row(i);
    const char* first = data_ + i * row_stride_;
    if (direct_) return reinterpret_cast<const T*>(first);
    gather_(first, column_stride_, columns_, buffer);
    return buffer;
  }

  double at(std::int64_t i, std::int64_t j) const {
    if (source_ != nullptr) return scale_ * static_cast<double>(source_->row(i)[j]);
    T entry;
    gather_(data_ + i * row_stride_ + j * column_stride_, column_stride_, 1, &entry);
    return scale_ * static_cast<double>(entry);
  }

 private:
  const char* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t row_stride_ = 0;
  std::int64_t column_stride_ = 0;
  double scale_ = 1.0;
  Gather<T> gather_ = nullptr;
  RowSource<T>* source_ = nullptr;
  bool turned_ = false;
  bool direct_ = false;
};

}  // namespace rebasin::assignment
