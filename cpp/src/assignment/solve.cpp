#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>

#include "assignment/block_solver.hpp"
#include "assignment/certificate.hpp"
#include "assignment/cost_rows.hpp"
#include "assignment/exact/exact_costs.hpp"
#include "assignment/exact/finish.hpp"
#include "assignment/exact/totals.hpp"
#include "assignment/inspection.hpp"
#include "assignment/jonker_volgenant.hpp"
#include "assignment/list_certificate.hpp"
#include "assignment/list_solver.hpp"
#include "rebasin/assignment.hpp"

namespace rebasin {
namespace {

using namespace assignment;

// The identity, optimal when every entry is equal; what users of SciPy expect there.
void assign_in_order(double value, MatchingState& state, Certificate& proof, std::int64_t rows,
                     std::int64_t columns) {
  state.reset(rows, columns);
  for (std::int64_t i = 0; i < rows; ++i) state.assign(i, i);
  proof.u.assign(rows, value);
  proof.gap = 0.0;
}

// Brings the matching and duals of the turned, signed, scaled problem back to the caller's.
template <class T>
void write_solution(const CostRows<T>& costs, MatchingState& state, Certificate& proof,
                    AssignmentSolution& solution) {
  const double scale = costs.scale();
  solution.columns = costs.turned() ? std::move(state.row_of) : std::move(state.column_of);
  solution.row_duals = costs.turned() ? std::move(state.v) : std::move(proof.u);
  solution.column_duals = costs.turned() ? std::move(proof.u) : std::move(state.v);
  // Adding zero turns -0.0 into 0.0.
  for (double& dual : solution.row_duals) dual = dual / scale + 0.0;
  for (double& dual : solution.column_duals) dual = dual / scale + 0.0;
  solution.gap = proof.gap / std::abs(scale);
}

// One finite value everywhere; most matrices are told apart by their first entries.
template <class T>
bool is_constant(const CostRows<T>& costs) {
  std::vector<T> buffer(costs.direct() ? 0 : costs.columns());
  const T value = *costs.row(0, buffer.data());
  if (!std::isfinite(value)) return false;
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    const T* run = costs.row(i, buffer.data());
    for (std::int64_t j = 0; j < costs.columns(); ++j) {
      if (run[j] != value) return false;
    }
  }
  return true;
}

bool forget(Certificate& proof) {
  proof.u.clear();
  return false;
}

// True when the lists gave an answer whose proof is as good as the dense solver's would be.
template <class T>
bool try_lists(const CostRows<T>& costs, MatchingState& matching, Certificate& proof,
               std::vector<double>& pair_cost, const WarmStart* warm_start, AssignmentCounters& counters,
               Interrupt& interrupt) {
  constexpr double acceptable = 1e-12;
  ListState<T> state(costs);
  Outcome outcome = Outcome::stale_start;
  if (warm_start != nullptr) {
    const double* row_duals = costs.turned() ? warm_start->column_duals : warm_start->row_duals;
    const double* column_duals = costs.turned() ? warm_start->row_duals : warm_start->column_duals;
    outcome = solve_from_duals(state, row_duals, column_duals, interrupt);
  }
  if (outcome != Outcome::done && outcome != Outcome::interrupted)
    outcome = solve_by_lists(state, proof, interrupt);
  counters = state.counters;
  if (outcome != Outcome::done) return forget(proof);
  const bool by_ties = state.solved_by_ties;
  if (!by_ties) {
    outcome = certify_lists(state, proof, pair_cost, interrupt);
    counters = state.counters;
  }
  matching.column_of.assign(state.column_of.begin(), state.column_of.end());
  matching.row_of.assign(state.row_of.begin(), state.row_of.end());
  state.v.resize(state.columns);
  matching.v = std::move(state.v);
  if (by_ties) {
    if (proof.u.empty()) counters.entries_read += costs.rows() * costs.columns();
    if (certify(costs, matching, proof, interrupt) != Status::ok) outcome = Outcome::interrupted;
    for (std::int64_t i = 0; i < costs.rows(); ++i) pair_cost.push_back(costs.at(i, matching.column_of[i]));
  }
  if (outcome != Outcome::done) return forget(proof);
  double magnitude = 0.0;
  for (const double cost : pair_cost) magnitude += std::abs(cost);
  return proof.gap <= acceptable * magnitude || forget(proof);
}

template <class T>
Status solve_densely(CostRows<T>& costs, MatchingState& state, Certificate& proof, Interrupt& interrupt) {
  // Sums of costs must stay finite; float32 costs always do.
  constexpr double shrink = 0x1p-64;
  const Inspection found = inspect(costs, interrupt);
  if (found.status != Status::ok) return found.status;
  if (found.largest >= simd::huge) costs.set_scale(costs.scale() * shrink);
  const Status status = solve_jonker_volgenant(costs, state, interrupt);
  return status == Status::ok ? certify(costs, state, proof, interrupt) : status;
}

template <class T>
Status solve_by_size(CostRows<T>& costs, MatchingState& state, Certificate& proof,
                     std::vector<double>& pair_cost, const WarmStart* warm_start,
                     AssignmentCounters& counters, Interrupt& interrupt) {
  constexpr std::int64_t most_columns = std::numeric_limits<std::int32_t>::max();
  if (costs.columns() <= block_columns) {
    bool beyond = false;
    const Status status = solve_block(costs, state, proof, beyond);
    if (!beyond) return status;
  } else if (costs.columns() <= most_columns &&
             try_lists(costs, state, proof, pair_cost, warm_start, counters, interrupt)) {
    return Status::ok;
  }
  pair_cost.clear();
  counters.dense_solver = true;
  return solve_densely(costs, state, proof, interrupt);
}

bool all_finite(const std::vector<double>& duals) {
  return std::all_of(duals.begin(), duals.end(), [](double dual) { return std::isfinite(dual); });
}

// Sums the assigned costs up; ends exactly where the float64 proof is not as good as float64 allows, or is
// one of rounded costs.
Status conclude(const AnyCostView& view, AssignmentSolution& solution, Interrupt& interrupt) {
  const ExactCosts costs(view);
  std::vector<double> pair_cost;
  pair_cost.reserve(solution.columns.size());
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(solution.columns.size()); ++i) {
    const std::int64_t j = solution.columns[i];
    if (j != unassigned) pair_cost.push_back(costs.transposed() ? costs.nearest(j, i) : costs.nearest(i, j));
  }
  const bool proven = all_finite(solution.row_duals) && all_finite(solution.column_duals) &&
                      proof_is_good_enough(pair_cost, solution.gap) && !rounds_in_float64(view);
  if (!proven) return finish_exactly(view, solution, interrupt);
  const double total = exact_total(pair_cost.data(), static_cast<std::int64_t>(pair_cost.size()));
  solution.objective = (view.maximize ? -total : total) + 0.0;
  return Status::ok;
}

template <class T>
Status solve(const AnyCostView& view, AssignmentSolution& solution, Interrupt& caller,
             const WarmStart* warm_start) {
  // Reading the clock would cost small problems more than they do.
  constexpr std::int64_t soon_done = 1 << 14;
  Interrupt never;
  Interrupt& interrupt = view.rows * view.columns < soon_done ? never : caller;
  CostRows<T> costs(view);
  solution.counters = {};
  MatchingState state;
  Certificate proof;
  std::vector<double> pair_cost;
  if (costs.rows() > 0 && is_constant(costs)) {
    assign_in_order(costs.at(0, 0), state, proof, costs.rows(), costs.columns());
  } else {
    const Status status =
        solve_by_size(costs, state, proof, pair_cost, warm_start, solution.counters, interrupt);
    if (status != Status::ok) return status;
  }
  write_solution(costs, state, proof, solution);
  return conclude(view, solution, interrupt);
}

template <class T>
constexpr Element element_of = sizeof(T) == 4 ? Element::float32 : Element::float64;

}  // namespace

Status solve_assignment(const AnyCostView& cost, AssignmentSolution& solution, Interrupt& interrupt,
                        const WarmStart* warm_start) try {
  return fits_float32(cost.element) ? solve<float>(cost, solution, interrupt, warm_start)
                                    : solve<double>(cost, solution, interrupt, warm_start);
} catch (const std::bad_alloc&) {
  return Status::out_of_memory;
}

template <class T>
Status solve_assignment(const CostView<T>& cost, AssignmentSolution& solution, Interrupt& interrupt,
                        const WarmStart* warm_start) {
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  const AnyCostView view{.data = cost.data,
                         .element = element_of<T>,
                         .swapped_bytes = false,
                         .rows = cost.rows,
                         .columns = cost.columns,
                         .row_stride = cost.row_stride * size,
                         .column_stride = cost.column_stride * size,
                         .maximize = cost.maximize};
  return solve_assignment(view, solution, interrupt, warm_start);
}

template Status solve_assignment<float>(const CostView<float>&, AssignmentSolution&, Interrupt&,
                                        const WarmStart*);
template Status solve_assignment<double>(const CostView<double>&, AssignmentSolution&, Interrupt&,
                                         const WarmStart*);

}  // namespace rebasin
