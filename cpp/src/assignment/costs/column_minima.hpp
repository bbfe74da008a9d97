// Column minima over rows of costs, several rows at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "assignment/costs/cost_rows.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {

template <class T>
class ColumnMinima {
 public:
  static constexpr std::int64_t rows_at_once = 8;

  explicit ColumnMinima(const CostRows<T>& costs)
      : costs_(costs), buffers_(costs.direct() ? 0 : rows_at_once * costs.columns()) {}

  // minima[j] = the least of minima[j] and column j over rows [first, last); NaN is passed over.
  void lower(std::int64_t first, std::int64_t last, std::vector<T>& minima) {
    const T* runs[rows_at_once];
    for (std::int64_t i = first; i < last; i += rows_at_once) {
      const auto count = std::min<std::int64_t>(rows_at_once, last - i);
      for (std::int64_t k = 0; k < count; ++k) {
        runs[k] = costs_.row(i + k, costs_.direct() ? nullptr : buffers_.data() + k * costs_.columns());
      }
      kernels_.lower_minima(runs, static_cast<int>(count), costs_.sign_mask(), costs_.columns(),
                            minima.data());
    }
  }

 private:
  const CostRows<T>& costs_;
  const simd::KernelsFor<T>& kernels_ = simd::kernels<T>();
  std::vector<T> buffers_;
};

}  // namespace rebasin::assignment
