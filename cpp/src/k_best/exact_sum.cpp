#include "k_best/exact_sum.hpp"

#include <cmath>
#include <cstddef>

namespace rebasin::k_best {

void ExactSum::add(double value) {
  std::size_t kept = 0;
  for (double part : parts_) {
    // The error of value + part, exactly, with the larger one first (Dekker).
    const bool larger = std::abs(value) >= std::abs(part);
    const double high = larger ? value : part;
    const double low = larger ? part : value;
    const double sum = high + low;
    const double error = low - (sum - high);
    if (error != 0.0) parts_[kept++] = error;
    value = sum;
  }
  parts_.resize(kept);
  if (value != 0.0) parts_.push_back(value);
}

double ExactSum::rounded() const {
  if (parts_.empty()) return 0.0;
  std::size_t k = parts_.size() - 1;
  double sum = parts_[k];
  double error = 0.0;
  while (k > 0 && error == 0.0) {
    const double high = sum;
    const double low = parts_[--k];
    sum = high + low;
    error = low - (sum - high);
  }
  // Half-way cases: what lies below the error decides.
  if (k > 0 && ((error < 0.0 && parts_[k - 1] < 0.0) || (error > 0.0 && parts_[k - 1] > 0.0))) {
    const double twice = error * 2.0;
    const double moved = sum + twice;
    if (twice == moved - sum) sum = moved;
  }
  return sum;
}

}  // namespace rebasin::k_best
