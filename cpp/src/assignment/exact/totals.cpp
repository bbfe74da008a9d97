#include "assignment/exact/totals.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

#include "assignment/exact/exact_costs.hpp"
#include "assignment/exact/real_sum.hpp"
#include "assignment/proof/exact_sums.hpp"

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

  // The sum rounded once; none where numbers within the bound round to different ones.
  std::optional<double> nearest() const {
    const double bound = error_magnitudes_ * (static_cast<double>(count_) * 0x1p-51);
    const double low = sum_ + (errors_ - bound);
    if (low != sum_ + (errors_ + bound) || !std::isfinite(low)) return std::nullopt;
    return low;
  }

 private:
  double sum_ = 0.0;
  double errors_ = 0.0;
  double error_magnitudes_ = 0.0;
  std::int64_t count_ = 0;
};

// A low rank, above those of an outlier or two.
std::size_t low_rank(std::size_t size) {
  return std::min<std::size_t>(size / 16, 2);
}

double of_rank(std::vector<double>& values, std::size_t rank) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::vector<double> distances_from(double centre, const std::vector<double>& values) {
  std::vector<double> distances;
  distances.reserve(values.size());
  for (const double value : values) {
    if (value != centre) distances.push_back(std::abs(value - centre));
  }
  return distances;
}

// The sum of the distances up to the first above that of the given rank which exceeds the one before by a
// factor of a thousand.
struct Ordinary {
  double sum = 0.0;
  double outlier = 0.0;  // the first left out; 0 if none is
};
Ordinary sum_without_outliers(std::vector<double>& distances, std::size_t rank) {
  constexpr double outlier = 1024.0;
  std::sort(distances.begin(), distances.end());
  Ordinary ordinary;
  for (std::size_t k = 0; k < distances.size(); ++k) {
    if (k > rank && distances[k] > outlier * distances[k - 1]) return {ordinary.sum, distances[k]};
    ordinary.sum += distances[k];
  }
  return ordinary;
}

}  // namespace

double exact_total(const double* terms, std::int64_t count) {
  CompensatedSum quick;
  for (std::int64_t k = 0; k < count; ++k) quick.add(terms[k]);
  if (const std::optional<double> nearest = quick.nearest()) return *nearest + 0.0;
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
  const bool wide = cost.dtype == DType::int64 || cost.dtype == DType::uint64;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t j = columns[i];
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
  // Beside outliers that are assigned ("forbidden" at 1e5 or 1e6), whose last bits the duals carry.
  constexpr double acceptable_beside = 0x1p-29;
  if (gap == 0.0) return true;
  if (pair_costs.empty() || !std::isfinite(gap)) return false;
  std::vector<double> values = pair_costs;
  const std::size_t size = values.size();
  const double median = of_rank(values, size / 2);
  const double low = of_rank(values, low_rank(size));
  const auto allows = [&](double centre, bool centred) {
    std::vector<double> distances = distances_from(centre, values);
    if (distances.empty()) return false;
    const std::size_t rank = centred ? distances.size() / 4 : low_rank(distances.size());
    const double below = static_cast<double>(distances.size() - rank) * of_rank(distances, rank);
    if (gap <= acceptable * below) return true;
    const Ordinary ordinary = sum_without_outliers(distances, rank);
    return gap <= (ordinary.outlier > 0.0 ? acceptable_beside : acceptable) * ordinary.sum;
  };
  return allows(0.0, false) && allows(median, true) && allows(low, true);
}

}  // namespace rebasin::assignment
