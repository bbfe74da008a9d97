#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "assignment/costs/row_source.hpp"
#include "assignment/exact/totals.hpp"
#include "assignment/lists/stages.hpp"
#include "assignment/proof/list_certificate.hpp"
#include "rebasin/candidate_lists.hpp"

namespace rebasin {
namespace {

using namespace assignment;

static_assert(list_length == simd::record_capacity);

// Duals were rounded to the grid, and costs will be: together less than two steps.
constexpr double steps_of_rounding = 2.0;

template <class T>
bool adopt_list(ListState<T>& state, const CandidateLists<T>& lists, std::int64_t i) {
  constexpr T none = std::numeric_limits<T>::infinity();
  simd::Record<T>& record = state.lists.records[i];
  for (int k = 0; k < list_length; ++k) {
    record.cost[k] = lists.costs[i * list_length + k];
    record.column[k] = record.cost[k] < none ? lists.columns_of[i * list_length + k] : 0;
    if (record.cost[k] < none && !(std::abs(static_cast<double>(record.cost[k])) <= state.duals.grid.limit))
      return false;
  }
  double least = std::numeric_limits<double>::infinity();
  for (int k = list_length; k-- > 0;) {
    if (record.cost[k] < none) {
      const double image = state.duals.grid.round(static_cast<double>(record.cost[k]));
      least = std::min(least, image - state.duals.v[record.column[k]]);
    }
    if (k % 8 == 0) record.group_bound[k / 8] = least;
  }
  const double bound = lists.bounds[i] - steps_of_rounding * state.duals.grid.step;
  record.bound = state.duals.grid.round_down(bound);
  return record.cost[0] < none && bound > -state.duals.grid.limit;
}

template <class T>
Attempt adopt_lists(ListState<T>& state, const CandidateLists<T>& lists) {
  for (std::int64_t i = 0; i < lists.rows; ++i) {
    if (!adopt_list(state, lists, i)) return Attempt::declined;
  }
  return Attempt::solved;
}

template <class T>
bool write_proven(ListState<T>& state, Certificate& proof, const std::vector<double>& pair_cost,
                  AssignmentSolution& solution) {
  if (!proof_is_good_enough(pair_cost, proof.gap)) return false;
  solution.columns.assign(state.matching.column_of.begin(), state.matching.column_of.end());
  solution.row_duals = std::move(proof.u);
  solution.column_duals.assign(state.duals.v.begin(), state.duals.v.begin() + state.columns);
  solution.objective = exact_total(pair_cost.data(), static_cast<std::int64_t>(pair_cost.size()));
  solution.gap = proof.gap;
  solution.counters = state.counters;
  return true;
}

}  // namespace

template <class T>
ListsResult solve_from_lists(const CandidateLists<T>& lists, AssignmentSolution& solution,
                             Interrupt& interrupt) try {
  RowSource<T> source(lists.rows, lists.columns, lists.fetch, lists.context);
  CostRows<T> costs(CostView<T>{source.data(), lists.rows, lists.columns, lists.columns, 1, false});
  costs.set_source(&source);
  ListState<T> state(costs);
  Certificate proof;
  std::vector<double> pair_cost;
  Attempt attempt = adopt_duals(state, lists.duals);
  if (attempt == Attempt::solved) attempt = adopt_lists(state, lists);
  if (attempt == Attempt::solved) attempt = solve_listed(state, interrupt);
  if (attempt == Attempt::solved) attempt = certify_lists(state, proof, pair_cost, interrupt);
  if (attempt == Attempt::interrupted) return {.status = Status::interrupted, .fetched = source.fetched()};
  const bool proven =
      attempt == Attempt::solved && !source.failed() && write_proven(state, proof, pair_cost, solution);
  return {.needs_matrix = !proven, .fetched = source.fetched()};
} catch (const std::bad_alloc&) {
  return {.status = Status::out_of_memory};
}

template ListsResult solve_from_lists<float>(const CandidateLists<float>&, AssignmentSolution&, Interrupt&);
template ListsResult solve_from_lists<double>(const CandidateLists<double>&, AssignmentSolution&, Interrupt&);

}  // namespace rebasin
