#include "assignment/proof/conclusion.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "assignment/exact/exact_costs.hpp"
#include "assignment/exact/totals.hpp"
#include "assignment/proof/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

bool all_finite(const std::vector<double>& duals) {
  return std::all_of(duals.begin(), duals.end(), [](double dual) { return std::isfinite(dual); });
}

// A dual less x, rounded so that it stays feasible: down, or up to maximise.
double feasible_difference(double dual, double x, bool maximize) {
  const double difference = dual - x;
  const double error = difference_error(dual, x, difference);
  if (maximize) return error > 0.0 ? next_up(difference) : difference;
  return error < 0.0 ? next_down(difference) : difference;
}

// The assigned entries, in the sign that is minimised.
std::vector<double> assigned_costs(const AnyCostView& view, const std::vector<std::int64_t>& columns) {
  const ExactCosts costs(view);
  std::vector<double> assigned;
  assigned.reserve(columns.size());
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(columns.size()); ++i) {
    const std::int64_t j = columns[i];
    if (j != unassigned) assigned.push_back(costs.transposed() ? costs.nearest(j, i) : costs.nearest(i, j));
  }
  return assigned;
}

// The exact total, rounded once. Integers that float64 does not hold are read again.
double total_of(const AnyCostView& view, const std::vector<std::int64_t>& columns,
                const std::vector<double>& assigned) {
  constexpr double held = 0x1p53;
  const bool integers = view.dtype == DType::int64 || view.dtype == DType::uint64;
  const auto beyond = [](double cost) { return std::abs(cost) >= held; };
  if (integers && std::any_of(assigned.begin(), assigned.end(), beyond)) return exact_total(view, columns);
  const double total = exact_total(assigned.data(), static_cast<std::int64_t>(assigned.size()));
  return (view.maximize ? -total : total) + 0.0;
}

}  // namespace

template <class T>
void write_solution(const CostRows<T>& costs, Answer& answer, AssignmentSolution& solution) {
  const double scale = costs.scale() * costs.transform().factor;
  MatchingState& matching = answer.matching;
  solution.columns = costs.transposed() ? std::move(matching.row_of) : std::move(matching.column_of);
  solution.row_duals = costs.transposed() ? std::move(matching.v) : std::move(answer.proof.u);
  solution.column_duals = costs.transposed() ? std::move(answer.proof.u) : std::move(matching.v);
  // Adding zero turns -0.0 into 0.0.
  for (double& dual : solution.row_duals) dual = dual / scale + 0.0;
  for (double& dual : solution.column_duals) dual = dual / scale + 0.0;
  solution.gap = answer.proof.gap / std::abs(scale);
}

bool conclude(const AnyCostView& view, std::vector<double>&& pair_costs, AssignmentSolution& solution) {
  const std::vector<double> assigned =
      pair_costs.empty() ? assigned_costs(view, solution.columns) : std::move(pair_costs);
  solution.objective = total_of(view, solution.columns, assigned);
  return all_finite(solution.row_duals) && all_finite(solution.column_duals) &&
         proof_is_good_enough(assigned, solution.gap);
}

void conclude_priced(const AnyCostView& view, double cost_limit, AssignmentSolution& solution) {
  solution.objective = total_of(view, solution.columns, assigned_costs(view, solution.columns));
  if (!(std::abs(cost_limit) < std::numeric_limits<double>::infinity())) return;
  const bool transposed = view.rows > view.columns;
  std::vector<double>& priced = transposed ? solution.column_duals : solution.row_duals;
  std::vector<double>& free = transposed ? solution.row_duals : solution.column_duals;
  for (double& dual : priced) dual = feasible_difference(dual, cost_limit / 2, view.maximize);
  for (double& dual : free) dual = feasible_difference(dual, -cost_limit / 2, view.maximize);
}

void allow_for_rounding(const AnyCostView& view, double rounding, AssignmentSolution& solution) {
  if (rounding == 0.0) return;
  const double lowered = view.maximize ? -rounding : rounding;
  for (double& dual : solution.row_duals) dual = feasible_difference(dual, lowered, view.maximize);
  const auto lines = static_cast<double>(view.rows + std::min(view.rows, view.columns));
  solution.gap = add_up(solution.gap, add_up(lines * rounding, 0.0));
}

bool is_finite(const AssignmentSolution& solution) {
  return std::isfinite(solution.objective) && std::isfinite(solution.gap) && all_finite(solution.row_duals) &&
         all_finite(solution.column_duals);
}

bool duals_prove_up_to_bits(const AnyCostView& view, const AssignmentSolution& solution) {
  if (!all_finite(solution.row_duals) || !all_finite(solution.column_duals)) return false;
  const double sign = view.maximize ? -1.0 : 1.0;
  std::vector<double> terms = assigned_costs(view, solution.columns);
  double bits = 0.0;
  for (const std::vector<double>* duals : {&solution.row_duals, &solution.column_duals}) {
    for (const double dual : *duals) {
      terms.push_back(-sign * dual);
      bits += std::nextafter(std::abs(dual), std::numeric_limits<double>::infinity()) - std::abs(dual);
    }
  }
  const double shortfall = exact_total(terms.data(), static_cast<std::int64_t>(terms.size()));
  return shortfall >= 0.0 && shortfall <= 4.0 * bits + solution.gap;
}

template void write_solution<float>(const CostRows<float>&, Answer&, AssignmentSolution&);
template void write_solution<double>(const CostRows<double>&, Answer&, AssignmentSolution&);

}  // namespace rebasin::assignment
