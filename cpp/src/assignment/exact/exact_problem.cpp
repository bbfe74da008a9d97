#include "assignment/exact/exact_problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rebasin::assignment {
namespace {

constexpr int shift_of_huge_numbers = 64;

}  // namespace

void ExactProblem::take_matching(const std::vector<std::int64_t>& columns) {
  matching.column_of.assign(costs.rows(), -1);
  matching.row_of.assign(costs.columns(), -1);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] < 0) continue;
    const auto row = costs.transposed() ? columns[i] : static_cast<std::int64_t>(i);
    const auto column = costs.transposed() ? static_cast<std::int64_t>(i) : columns[i];
    matching.column_of[row] = column;
    matching.row_of[column] = row;
  }
}

bool ExactProblem::holds_huge_numbers() const {
  constexpr double may_overflow = 0x1p960;
  double largest = 0.0;
  for (const double dual : v) largest = std::max(largest, std::abs(dual));
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    largest = std::max(largest, std::abs(costs.nearest(i, matching.column_of[i])));
  }
  return largest >= may_overflow;
}

void ExactProblem::shift() {
  costs.set_shift(shift_of_huge_numbers);
  for (double& dual : v) dual = std::ldexp(dual, -shift_of_huge_numbers);
}

void ExactProblem::take_duals(const std::vector<double>& duals, bool maximize) {
  v.assign(costs.columns(), 0.0);
  if (duals.size() == v.size()) {
    for (std::size_t j = 0; j < v.size(); ++j) {
      if (std::isfinite(duals[j])) v[j] = maximize ? -duals[j] : duals[j];
    }
  }
  if (holds_huge_numbers()) shift();
  if (costs.rows() == costs.columns()) return;
  const double top = *std::max_element(v.begin(), v.end());
  if (top != 0.0) {
    for (double& dual : v) dual -= top;
  }
}

double ExactProblem::expected_deficit(double gap) const {
  double largest = 0.0;
  for (const double dual : v) largest = std::max(largest, std::abs(dual));
  const double rounding = static_cast<double>(costs.columns()) * largest * 0x1p-50;
  const double proven = std::isfinite(gap) && gap > 0.0 ? std::ldexp(gap, -costs.shift()) : 0.0;
  return std::min(proven + rounding, std::numeric_limits<double>::max());
}

int ExactProblem::common_unit(const NearTightEntries& entries) const {
  int unit = 1024;
  const auto include = [&unit](const Dyadic& x) {
    if (!x.zero()) unit = std::min(unit, x.exponent);
  };
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    for (std::int64_t k = entries.start[i]; k < entries.start[i + 1]; ++k) {
      include(costs.entry(i, entries.column[k]));
    }
  }
  for (std::int64_t j = 0; j < costs.columns(); ++j) include(dual(j));
  return unit;
}

}  // namespace rebasin::assignment
