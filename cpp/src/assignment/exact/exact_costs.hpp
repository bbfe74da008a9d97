// The true entries of a cost matrix: rows <= columns, minimised, unrounded.
#pragma once

#include <cstdint>
#include <vector>

#include "assignment/costs/elements.hpp"
#include "assignment/exact/dyadic.hpp"
#include "rebasin/assignment.hpp"

namespace rebasin::assignment {

// A difference of two entries: rounded + error in real arithmetic; +inf where the first entry is forbidden.
struct EntryDifference {
  double rounded;
  double error;
};

// Reads an AnyCostView, transposed where it has more rows than columns. 64-bit integers are the integers that
// they are. Entries count 2^-shift() of themselves in the float64 results, never in to_dyadic's.
class ExactCosts {
 public:
  explicit ExactCosts(const AnyCostView& view);

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  bool transposed() const { return transposed_; }
  int shift() const { return shift_; }
  // With a shift no difference of entries overflows; entries below 2^(shift - 1022) are then rounded to a
  // multiple of 2^(shift - 1074).
  void set_shift(int shift);

  Dyadic entry(std::int64_t i, std::int64_t j) const;  // of a finite entry
  double nearest(std::int64_t i, std::int64_t j) const;

  // out[j] = entry (i, j) - entry (i, base), with a relative error of at most 2^-53.
  void differences(std::int64_t i, std::int64_t base, double* out) const;
  EntryDifference difference(std::int64_t i, std::int64_t j, std::int64_t base) const;

 private:
  const char* address(std::int64_t i, std::int64_t j) const {
    return data_ + i * row_stride_ + j * column_stride_;
  }
  std::uint64_t bits(const char* at) const;
  double counted(const char* at) const;  // as counted: signed and shifted
  bool wide() const { return element_ == DType::int64 || element_ == DType::uint64; }
  template <class T>
  bool holds_contiguous(DType element) const {
    return element_ == element && !swapped_bytes_ && column_stride_ == std::int64_t{sizeof(T)};
  }
  template <class S>
  void integer_differences(const char* first, const char* base, double* out) const;

  const char* data_;
  DType element_;
  bool swapped_bytes_;
  bool transposed_;
  bool maximize_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t row_stride_;
  std::int64_t column_stride_;
  Gather<double> gather_;
  int shift_ = 0;
  double factor_ = 1.0;  // sign and shift
};

}  // namespace rebasin::assignment
