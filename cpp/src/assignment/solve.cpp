#include <cmath>
#include <new>
#include <numeric>

#include "assignment/certificate.hpp"
#include "assignment/cost_rows.hpp"
#include "assignment/inspection.hpp"
#include "assignment/jonker_volgenant.hpp"
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

// Brings the result of the turned, signed, scaled problem back to the caller's.
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
  solution.objective = 0.0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(solution.columns.size()); ++i) {
    const std::int64_t j = solution.columns[i];
    if (j != unassigned) solution.objective += (costs.turned() ? costs.at(j, i) : costs.at(i, j)) / scale;
  }
}

template <class T>
Status solve(const AnyCostView& view, AssignmentSolution& solution, Interrupt& interrupt) {
  // Sums of costs must stay finite; float32 costs always do.
  constexpr double huge = 0x1p1000;
  constexpr double shrink = 0x1p-64;
  CostRows<T> costs(view);
  const Inspection found = inspect(costs, interrupt);
  if (found.status != Status::ok) return found.status;
  if (found.largest >= huge) costs.set_scale(costs.scale() * shrink);
  MatchingState state;
  Certificate proof;
  if (found.constant) {
    assign_in_order(costs.at(0, 0), state, proof, costs.rows(), costs.columns());
  } else {
    Status status = solve_jonker_volgenant(costs, state, interrupt);
    if (status == Status::ok) status = certify(costs, state, proof, interrupt);
    if (status != Status::ok) return status;
  }
  write_solution(costs, state, proof, solution);
  return Status::ok;
}

template <class T>
constexpr Element element_of = sizeof(T) == 4 ? Element::float32 : Element::float64;

}  // namespace

Status solve_assignment(const AnyCostView& cost, AssignmentSolution& solution, Interrupt& interrupt) try {
  return fits_float32(cost.element) ? solve<float>(cost, solution, interrupt)
                                    : solve<double>(cost, solution, interrupt);
} catch (const std::bad_alloc&) {
  return Status::out_of_memory;
}

template <class T>
Status solve_assignment(const CostView<T>& cost, AssignmentSolution& solution, Interrupt& interrupt) {
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  const AnyCostView view{.data = cost.data,
                         .element = element_of<T>,
                         .swapped_bytes = false,
                         .rows = cost.rows,
                         .columns = cost.columns,
                         .row_stride = cost.row_stride * size,
                         .column_stride = cost.column_stride * size,
                         .maximize = cost.maximize};
  return solve_assignment(view, solution, interrupt);
}

template Status solve_assignment<float>(const CostView<float>&, AssignmentSolution&, Interrupt&);
template Status solve_assignment<double>(const CostView<double>&, AssignmentSolution&, Interrupt&);

}  // namespace rebasin
