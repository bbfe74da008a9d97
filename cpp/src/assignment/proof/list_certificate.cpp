#include "assignment/proof/list_certificate.hpp"

#include <algorithm>
#include <limits>

#include "assignment/lists/stages.hpp"
#include "assignment/proof/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
double find_cost(const ListState<T>& state, std::int64_t row, std::int32_t column) {
  const simd::Record<T>& record = state.lists.records[row];
  for (int k = 0; k < simd::record_capacity; ++k) {
    if (record.column[k] == column && record.cost[k] < std::numeric_limits<T>::infinity()) {
      return static_cast<double>(record.cost[k]);
    }
  }
  return state.costs.at(row, column);
}

// The greatest double known to be at or below every reduced cost of the row, in real arithmetic.
template <class T>
double row_dual(const ListState<T>& state, std::int64_t row, double matched_cost) {
  const simd::Record<T>& record = state.lists.records[row];
  double dual = record.bound - (state.lists.bound_is_rounded[row] != 0 ? state.duals.grid.step : 0.0);
  // Columns that presolve removed cost zero, and their dual is higher than when the bound was found.
  if (!state.presolve.pairs.empty()) dual = std::min(dual, -state.presolve.dual);
  const auto lower_to = [&dual](double cost, double v) {
    const double reduced = cost - v;
    if (reduced > dual) return;
    dual = std::min(dual, difference_error(cost, v, reduced) < 0.0 ? next_down(reduced) : reduced);
  };
  lower_to(matched_cost, state.duals.v[state.matching.column_of[row]]);
  for (int group = 0; group < simd::record_groups && record.group_bound[group] <= dual; ++group) {
    for (int k = group * 8; k < group * 8 + 8; ++k) {
      const auto cost = static_cast<double>(record.cost[k]);
      if (cost < infinity) lower_to(cost, state.duals.v[record.column[k]]);
    }
  }
  return dual;
}

}  // namespace

template <class T>
Attempt certify_lists(ListState<T>& state, Certificate& proof, std::vector<double>& pair_cost,
                      Interrupt& interrupt) {
  proof.u.resize(state.rows);
  pair_cost.resize(state.rows);
  double bound = 0.0;
  for (std::int64_t i = 0; i < state.rows; ++i) {
    if (state.presolve.removed[i] != 0) {
      pair_cost[i] = 0.0;
      proof.u[i] = -state.presolve.dual;
      continue;
    }
    const std::int32_t j = state.matching.column_of[i];
    const double cost = find_cost(state, i, j);
    if (state.duals.grid.round(cost) - state.duals.v[j] > state.lists.records[i].bound) {
      if (interrupt.requested()) return Attempt::interrupted;
      find_best(state, i);
    }
    pair_cost[i] = cost;
    proof.u[i] = row_dual(state, i, cost);
    bound = add_up(bound, slack_bound(cost, state.duals.v[j], proof.u[i]));
  }
  if (state.rows < state.columns) {
    for (std::int64_t j = 0; j < state.columns; ++j) {
      if (state.matching.row_of[j] == unassigned) bound = add_up(bound, -state.duals.v[j]);
    }
  }
  proof.gap = bound > 0.0 && totals_lie_apart(state.costs, bound, interrupt) ? 0.0 : bound;
  return Attempt::solved;
}

template Attempt certify_lists<float>(ListState<float>&, Certificate&, std::vector<double>&, Interrupt&);
template Attempt certify_lists<double>(ListState<double>&, Certificate&, std::vector<double>&, Interrupt&);

}  // namespace rebasin::assignment
