// Thresholds between two bounds, to halve the entries that lie there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

#include "bottleneck/costs.hpp"

namespace rebasin::bottleneck {

// A sample of the entries first; all of them once the sample holds none between the bounds.
template <class T>
class Candidates {
 public:
  explicit Candidates(const Costs<T>& costs) : costs_(costs) {}

  // An entry above `low` and below `high`, near the median of such entries; none: there is none.
  std::optional<T> between(T low, T high) {
    if (values_.empty()) sample();
    std::optional<T> found = median(low, high);
    if (found || complete_) return found;
    collect(low, high);
    return median(low, high);
  }

 private:
  static constexpr std::int64_t sample_size = 4096;

  void sample() {
    const std::int64_t count = costs_.rows() * costs_.columns();
    const std::int64_t step = std::max<std::int64_t>(1, count / sample_size) | 1;
    for (std::int64_t k = 0; k < count; k += step) values_.push_back(costs_.row(0)[k]);
    std::sort(values_.begin(), values_.end());
  }

  void collect(T low, T high) {
    complete_ = true;
    values_.clear();
    const T* first = costs_.row(0);
    const std::int64_t count = costs_.rows() * costs_.columns();
    std::copy_if(first, first + count, std::back_inserter(values_),
                 [&](T cost) { return low < cost && cost < high; });
    std::sort(values_.begin(), values_.end());
  }

  std::optional<T> median(T low, T high) const {
    const auto first = std::upper_bound(values_.begin(), values_.end(), low);
    const auto last = std::lower_bound(first, values_.end(), high);
    if (first == last) return std::nullopt;
    return *(first + (last - first) / 2);
  }

  const Costs<T>& costs_;
  std::vector<T> values_;
  bool complete_ = false;
};

}  // namespace rebasin::bottleneck
