// The standard score of an assignment: its distance from those of independent random units.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace rebasin {

// Evenly spaced, 64 at most.
inline std::vector<std::int64_t> sampled_rows(std::int64_t n) {
  constexpr std::int64_t most_rows = 64;
  std::vector<std::int64_t> rows(std::min(n, most_rows));
  for (std::size_t k = 0; k < rows.size(); ++k)
    rows[k] = static_cast<std::int64_t>(k) * n / static_cast<std::int64_t>(rows.size());
  return rows;
}

// The mean similarity of matched pairs, in standard deviations of the matrix's entries and as a share of
// sqrt(2 ln n), less the means of rows and columns; `sample` holds the sampled rows, one after the other.
// Matching independent Gaussian entries gives 0.7 to 0.9, from n = 16 to 2048; related units give as much
// more as their variance is strong. 0 where all entries are equal.
inline double standard_score(const std::vector<double>& sample, std::int64_t n,
                             const std::vector<std::int64_t>& columns) {
  const std::vector<std::int64_t> slots = sampled_rows(n);
  const auto rows = static_cast<std::int64_t>(slots.size());
  if (rows < 2) return 0.0;
  std::vector<double> row_mean(slots.size(), 0.0), column_mean(n, 0.0);
  double mean = 0.0;
  for (std::int64_t k = 0; k < rows; ++k) {
    const double* row = sample.data() + k * n;
    double sum = 0.0;
    for (std::int64_t j = 0; j < n; ++j) {
      sum += row[j];
      column_mean[j] += row[j] / static_cast<double>(rows);
    }
    row_mean[k] = sum / static_cast<double>(n);
    mean += row_mean[k] / static_cast<double>(rows);
  }
  double squares = 0.0, matched = 0.0;
  for (std::int64_t k = 0; k < rows; ++k) {
    const double* row = sample.data() + k * n;
    const auto rest = [&](std::int64_t j) { return row[j] - row_mean[k] - column_mean[j] + mean; };
    for (std::int64_t j = 0; j < n; ++j) squares += rest(j) * rest(j);
    matched += rest(columns[slots[k]]);
  }
  if (!(squares > 0.0)) return 0.0;
  const double deviation = std::sqrt(squares / static_cast<double>((rows - 1) * (n - 1)));
  return matched / static_cast<double>(rows) /
         (deviation * std::sqrt(2.0 * std::log(static_cast<double>(n))));
}

}  // namespace rebasin
