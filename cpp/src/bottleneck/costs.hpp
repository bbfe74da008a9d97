// The matrix in rows <= columns, minimising, in a type whose order is that of the costs.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/assignment.hpp"

namespace rebasin::bottleneck {

// Costs as they lie in the caller's memory where that is possible, else a copy. 64-bit integers become
// signed ones of the same order.
template <class T>
class Costs {
 public:
  explicit Costs(const AnyCostView& cost);

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  bool transposed() const { return transposed_; }
  const T* row(std::int64_t i) const { return first_ + i * columns_; }

 private:
  std::int64_t rows_;
  std::int64_t columns_;
  bool transposed_;
  const T* first_ = nullptr;
  std::vector<T> copy_;
};

}  // namespace rebasin::bottleneck
