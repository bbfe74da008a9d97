#include "assignment/exact/totals.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "assignment/exact/exact_costs.hpp"
#include "assignment/exact/real_sum.hpp"
#include "assignment/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

// A sum and the sum of its rounding errors, with a bound on the errors' own rounding.
class CompensatedSum {
 public:
  void add(double term) {
    const double next = sum_ + term;
    const double error = difference_error(sum_, -term, next);
    sum_ = next;
    errors_ += error;
    error_magnitudes_ += std::abs(error);
    ++count_;
  }

  // True where every number within the bound rounds to `nearest`.
  bool decided(double& nearest) const {
    const double bound = error_magnitudes_ * (static_cast<double>(count_) * 0x1p-51);
    nearest = sum_ + (errors_ - bound);
    return nearest == sum_ + (errors_ + bound) && std::isfinite(nearest);
  }

 private:
  double sum_ = 0.0;
  double errors_ = 0.0;
  double error_magnitudes_ = 0.0;
  std::int64_t count_ = 0;
};

// The element of rank size / 16 among the nonzero magnitudes; 0 if there are none.
double low_quantile(std::vector<double>& magnitudes) {
  std::erase(magnitudes, 0.0);
  if (magnitudes.empty()) return 0.0;
  const auto at = magnitudes.begin() + static_cast<std::ptrdiff_t>(magnitudes.size() / 16);
  std::nth_element(magnitudes.begin(), at, magnitudes.end());
  return *at;
}

}  // namespace

double exact_total(const double* terms, std::int64_t count) {
  CompensatedSum quick;
  for (std::int64_t k = 0; k < count; ++k) quick.add(terms[k]);
  double nearest;
  if (quick.decided(nearest)) return nearest + 0.0;
  RealSum sum;
  for (std::int64_t k = 0; k < count; ++k) sum.add(terms[k]);
  return sum.nearest();
}

double exact_total(const AnyCostView& cost, const std::vector<std::int64_t>& columns) {
  const ExactCosts costs(cost);
  const auto count = static_cast<std::int64_t>(columns.size());
  const double sign = cost.maximize ? -1.0 : 1.0;
  std::vector<double> terms;
  terms.reserve(columns.size());
  RealSum sum;
  const bool wide = cost.element == Element::int64 || cost.element == Element::uint64;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t j = columns[static_cast<std::size_t>(i)];
    if (j < 0) continue;
    const std::int64_t row = costs.transposed() ? j : i;
    const std::int64_t column = costs.transposed() ? i : j;
    if (wide) {
      const Dyadic entry = costs.entry(row, column);
      sum.add(cost.maximize ? -entry : entry);
    } else {
      terms.push_back(sign * costs.nearest(row, column));
    }
  }
  return wide ? sum.nearest() : exact_total(terms.data(), static_cast<std::int64_t>(terms.size()));
}

bool proof_is_good_enough(const std::vector<double>& pair_costs, double gap) {
  constexpr double acceptable = 1e-12;
  if (gap == 0.0) return true;
  if (pair_costs.empty() || !std::isfinite(gap)) return false;
  std::vector<double> values = pair_costs;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  const double median = *middle;
  std::vector<double> magnitudes;
  magnitudes.reserve(values.size());
  for (const double value : values) magnitudes.push_back(std::abs(value));
  const double plain = low_quantile(magnitudes);
  magnitudes.clear();
  for (const double value : values) magnitudes.push_back(std::abs(value - median));
  const double centred = low_quantile(magnitudes);
  // Equal costs leave nothing once their median is removed.
  const double least = centred == 0.0 ? 0.0 : std::min(plain, centred);
  return gap <= acceptable * least * static_cast<double>(values.size());
}

}  // namespace rebasin::assignment
