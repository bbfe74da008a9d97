// The costs as the stages read them: minimise over rows <= columns, each row contiguous.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "assignment/costs/elements.hpp"
#include "assignment/costs/row_source.hpp"
#include "rebasin/assignment.hpp"

namespace rebasin::assignment {

// The change of entries before the stages, so that every stage works on costs of one magnitude.
// In the sign that is minimised: (x - offset) * factor, and `marker` for a finite x >= marker_from.
struct Transform {
  double offset = 0.0;  // removed exactly: no difference rounds
  double factor = 1.0;  // a power of two
  double marker_from = std::numeric_limits<double>::infinity();
  double marker = std::numeric_limits<double>::infinity();

  double apply(double x) const {
    // Without a branch, so that rows are transformed in vectors.
    const bool marked = (x >= marker_from) & (x < std::numeric_limits<double>::infinity());
    return marked ? marker : (x - offset) * factor;
  }
};

// Rows of an AnyCostView, transposed so that rows() <= columns(), as contiguous runs of T (float or double).
//
// An entry counts as scale() * run[j], where scale() is -1 to maximise and 1 to minimise. Runs point into the
// caller's matrix where its layout allows and nothing is transformed, else into the buffer passed. Immutable
// but for set_transform, set_integer_offset, convert_once and set_source.
template <class T>
class CostRows {
 public:
  explicit CostRows(const AnyCostView& view) {
    const auto magnitude = [](std::int64_t stride) { return stride < 0 ? -stride : stride; };
    const bool rows_run = magnitude(view.column_stride) <= magnitude(view.row_stride);
    transposed_ = view.rows > view.columns || (view.rows == view.columns && !rows_run);
    data_ = static_cast<const char*>(view.data);
    rows_ = transposed_ ? view.columns : view.rows;
    columns_ = transposed_ ? view.rows : view.columns;
    row_stride_ = transposed_ ? view.column_stride : view.row_stride;
    column_stride_ = transposed_ ? view.row_stride : view.column_stride;
    gather_ = choose_gather<T>(view.dtype, view.swapped_bytes);
    constexpr DType own = floating_dtype<T>;
    const auto address = reinterpret_cast<std::uintptr_t>(data_) | static_cast<std::uintptr_t>(row_stride_);
    direct_ = view.dtype == own && !view.swapped_bytes && column_stride_ == std::int64_t{sizeof(T)} &&
              address % alignof(T) == 0;
    scale_ = view.maximize ? -1.0 : 1.0;
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  bool transposed() const { return transposed_; }
  bool direct() const { return direct_ && source_ == nullptr; }
  double scale() const { return scale_; }
  // The kernels negate costs with it: -0.0 to maximise, else 0.0.
  T sign_mask() const { return scale_ < 0 ? -T{0} : T{0}; }
  // The buffer for row(): room for a row where rows cannot be read in place, else empty.
  std::vector<T> make_buffer() const { return std::vector<T>(direct() ? 0 : columns_); }

  const Transform& transform() const { return transform_; }
  // Once, at most.
  void set_transform(const Transform& transform) {
    transform_ = transform;
    transformed_ = true;
    direct_ = false;
  }

  // Subtracted from the entries of a matrix of 64-bit integers before they become float64.
  std::int64_t integer_offset() const { return integer_offset_; }
  void set_integer_offset(std::int64_t offset) { integer_offset_ = offset; }

  // Converts the matrix once, where it cannot be read in place and fits into `most_entries`.
  void convert_once(std::int64_t most_entries) {
    if (direct() || source_ != nullptr || rows_ * columns_ > most_entries) return;
    auto converted = std::make_unique_for_overwrite<T[]>(rows_ * columns_);
    for (std::int64_t i = 0; i < rows_; ++i) convert(i, 0, columns_, converted.get() + i * columns_);
    own_ = std::move(converted);
    data_ = reinterpret_cast<const char*>(own_.get());
    row_stride_ = columns_ * std::int64_t{sizeof(T)};
    column_stride_ = sizeof(T);
    gather_ = choose_gather<T>(floating_dtype<T>, false);
    direct_ = true;
    transformed_ = false;
  }

  // Rows come from `source`, whose memory the view is of; not owned.
  void set_source(RowSource<T>* source) { source_ = source; }

  // Row i; `buffer` holds columns() entries and is written only when the matrix cannot be read in place.
  const T* row(std::int64_t i, T* buffer) const {
    if (source_ != nullptr) return source_->row(i);
    if (direct()) return reinterpret_cast<const T*>(data_ + i * row_stride_);
    convert(i, 0, columns_, buffer);
    return buffer;
  }

  // `count` entries of row i from column `first` on.
  void part(std::int64_t i, std::int64_t first, std::int64_t count, T* out) const {
    if (source_ != nullptr) {
      std::copy_n(source_->row(i) + first, count, out);
    } else {
      convert(i, first, count, out);
    }
  }

  // Entry (i, j) as it counts.
  double at(std::int64_t i, std::int64_t j) const {
    if (source_ != nullptr) return scale_ * static_cast<double>(source_->row(i)[j]);
    T entry;
    convert(i, j, 1, &entry);
    return scale_ * static_cast<double>(entry);
  }

 private:
  void convert(std::int64_t i, std::int64_t first, std::int64_t count, T* out) const {
    gather_(data_ + i * row_stride_ + first * column_stride_, column_stride_, count, integer_offset_, out);
    if (!transformed_) return;
    const T sign = static_cast<T>(scale_);
    for (std::int64_t j = 0; j < count; ++j) {
      out[j] = sign * static_cast<T>(transform_.apply(static_cast<double>(sign * out[j])));
    }
  }

  const char* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t row_stride_ = 0;
  std::int64_t column_stride_ = 0;
  double scale_ = 1.0;
  Transform transform_;
  std::int64_t integer_offset_ = 0;
  std::unique_ptr<T[]> own_;  // the matrix converted once
  bool transformed_ = false;  // entries are transformed as they are read
  Gather<T> gather_ = nullptr;
  RowSource<T>* source_ = nullptr;
  bool transposed_ = false;
  bool direct_ = false;
};

}  // namespace rebasin::assignment
