// A rectangle made square by rows of one value.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "assignment/costs/cost_rows.hpp"
#include "assignment/matching_state.hpp"

namespace rebasin::assignment {

// Rows of equal costs take the columns that the others leave, whichever these are: the optimum of the square
// is that of the rectangle and a constant.
template <class T>
class PaddedCosts {
 public:
  explicit PaddedCosts(const CostRows<T>& costs)
      : rows_(costs.rows()),
        columns_(costs.columns()),
        entries_(std::make_unique_for_overwrite<T[]>(columns_ * columns_)),
        square_(CostView<T>{entries_.get(), columns_, columns_, columns_, 1, costs.scale() < 0}) {
    for (std::int64_t i = 0; i < rows_; ++i) {
      T* copy = entries_.get() + i * columns_;
      const T* run = costs.row(i, copy);
      if (run != copy) std::copy_n(run, columns_, copy);
    }
    std::fill(entries_.get() + rows_ * columns_, entries_.get() + columns_ * columns_, ordinary_entry());
  }

  const CostRows<T>& rows() const { return square_; }

  // The matching of the rectangle, with column duals at most 0, and 0 where a column is left.
  void restore(const MatchingState& square, MatchingState& rectangle) const {
    rectangle.reset(rows_, columns_);
    for (std::int64_t i = 0; i < rows_; ++i) rectangle.assign(i, square.column_of[i]);
    const double largest = *std::max_element(square.v.begin(), square.v.end());
    for (std::int64_t j = 0; j < columns_; ++j) rectangle.v[j] = square.v[j] - largest;
  }

 private:
  // Of the magnitude of the others, lest the sums of duals grow.
  T ordinary_entry() const {
    for (std::int64_t j = 0; j < columns_; ++j) {
      if (std::abs(entries_[j]) < std::numeric_limits<T>::infinity()) return entries_[j];
    }
    return T{0};
  }

  std::int64_t rows_;
  std::int64_t columns_;
  std::unique_ptr<T[]> entries_;
  CostRows<T> square_;
};

}  // namespace rebasin::assignment
