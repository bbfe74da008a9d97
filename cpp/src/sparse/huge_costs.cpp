#include "sparse/huge_costs.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "assignment/proof/exact_sums.hpp"
#include "sparse/graph/typed_view.hpp"
#include "sparse/proof.hpp"

namespace rebasin::sparse {
namespace {

constexpr double factor = 0x1p-64;
// Of an entry that is a multiple of 2^-1074 after scaling, at most.
constexpr double rounding = 0x1p-1010;

bool all_finite(const std::vector<double>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
}

std::int64_t entries_of(const SparseCostView& view) {
  return with_types(view, [](const auto& typed) { return typed.rows > 0 ? typed.end(typed.rows - 1) : 0; });
}

// Moves what float64 would not hold between the duals of a complete square: all of rows and all of columns by
// one number, each rounded so that it stays feasible.
void balance(SparseSolution& solution, bool maximize) {
  constexpr double most = std::numeric_limits<double>::max() * factor;
  std::vector<double>& u = solution.row_duals;
  std::vector<double>& v = solution.column_duals;
  const auto [least_u, largest_u] = std::minmax_element(u.begin(), u.end());
  const auto [least_v, largest_v] = std::minmax_element(v.begin(), v.end());
  if (std::max({-*least_u, *largest_u, -*least_v, *largest_v}) <= most) return;
  const double low = std::max(*largest_v - most, -most - *least_u);
  const double high = std::min(*least_v + most, most - *largest_u);
  const double step = low / 2 + high / 2;
  const auto move = [maximize](double& dual, double by) {
    const double moved = dual + by;
    const double error = assignment::difference_error(dual, -by, moved);
    dual = maximize && error > 0.0    ? assignment::next_up(moved)
           : !maximize && error < 0.0 ? assignment::next_down(moved)
                                      : moved;
  };
  for (double& dual : u) move(dual, step);
  for (double& dual : v) move(dual, -step);
}

bool is_complete_square(const SparseCostView& view, const SparseSolution& solution) {
  return view.rows == view.columns && view.rows > 0 &&
         std::find(solution.columns.begin(), solution.columns.end(), -1) == solution.columns.end();
}

}  // namespace

bool is_finite(const SparseSolution& solution) {
  return std::isfinite(solution.objective) && std::isfinite(solution.gap) && all_finite(solution.row_duals) &&
         all_finite(solution.column_duals);
}

ScaledCosts::ScaledCosts(const SparseCostView& original) : original_(original), scaled_(original) {
  const auto* given = static_cast<const double*>(original.values);
  values_.reserve(static_cast<std::size_t>(entries_of(original)));
  for (std::int64_t k = 0; k < entries_of(original); ++k) {
    values_.push_back(given[k] * factor);
    rounded_ = rounded_ || values_.back() / factor != given[k];
  }
  scaled_.values = values_.data();
}

void ScaledCosts::restore(SparseSolution& solution) const {
  if (is_complete_square(original_, solution)) balance(solution, original_.maximize);
  for (std::vector<double>* duals : {&solution.row_duals, &solution.column_duals}) {
    for (double& dual : *duals) dual /= factor;
  }
  solution.gap /= factor;
  if (rounded_) {
    for (double& dual : solution.row_duals) {
      dual =
          original_.maximize ? assignment::next_up(dual + rounding) : assignment::next_down(dual - rounding);
      solution.gap = assignment::add_up(solution.gap, 4.0 * rounding);
    }
  }
  const std::vector<std::int32_t> columns(solution.columns.begin(), solution.columns.end());
  solution.objective = with_types(original_, [&](const auto& view) { return total_of(view, columns); });
}

}  // namespace rebasin::sparse
