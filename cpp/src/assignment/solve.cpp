#include <cmath>
#include <limits>
#include <new>
#include <numeric>

#include "assignment/block_solver.hpp"
#include "assignment/certificate.hpp"
#include "assignment/cost_rows.hpp"
#include "assignment/inspection.hpp"
#include "assignment/strategies.hpp"
#include "rebasin/assignment.hpp"
#include "simd/kernels.hpp"

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

// Brings the result of the turned, signed, scaled problem back to the caller's. pair_cost holds the matched
// entries by row of the turned problem; if it is empty they are read.
template <class T>
void write_solution(const CostRows<T>& costs, MatchingState& state, Certificate& proof,
                    const std::vector<double>& pair_cost, AssignmentSolution& solution) {
  const double scale = costs.scale() * costs.transform().factor;
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
    if (j == unassigned) continue;
    const std::int64_t row = costs.turned() ? j : i;
    solution.objective +=
        (pair_cost.empty() ? costs.at(row, costs.turned() ? i : j) : pair_cost[row]) / scale;
  }
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

// Sums of costs must stay finite; float32 costs always do. Also tells what a float64 matrix that could not be
// solved as it is really holds.
template <class T>
Attempt solve_scaled(CostRows<T>& costs, Task<T>& task, Answer& answer) {
  constexpr double shrink = 0x1p-64;
  const Inspection found = inspect(costs, task.interrupt);
  if (found.status == Status::invalid_entry) return Attempt::invalid;
  if (found.status == Status::infeasible) return Attempt::infeasible;
  if (found.largest < simd::huge) return Attempt::declined;
  Transform smaller;
  smaller.factor = shrink;
  costs.set_transform(smaller);
  task.traits = {};
  answer = {};
  return solve_by_strategies(task, answer);
}

Status status_of(Attempt attempt) {
  switch (attempt) {
    case Attempt::solved:
      return Status::ok;
    case Attempt::infeasible:
      return Status::infeasible;
    case Attempt::interrupted:
      return Status::interrupted;
    default:
      return Status::invalid_entry;
  }
}

template <class T>
Attempt solve_by_size(CostRows<T>& costs, Task<T>& task, Answer& answer) {
  if (costs.columns() <= block_columns) {
    bool beyond = false;
    const Status status = solve_block(costs, answer.matching, answer.proof, beyond);
    if (!beyond) {
      return status == Status::ok           ? Attempt::solved
             : status == Status::infeasible ? Attempt::infeasible
                                            : Attempt::invalid;
    }
  }
  const Attempt attempt = solve_by_strategies(task, answer);
  // Sums of float64 costs may overflow: then what failed may be solvable.
  const bool failed = attempt == Attempt::invalid || attempt == Attempt::infeasible;
  if (!failed || sizeof(T) == 4) return attempt;
  const Attempt scaled = solve_scaled(costs, task, answer);
  return scaled == Attempt::declined ? attempt : scaled;
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
  Answer answer;
  if (costs.rows() > 0 && is_constant(costs)) {
    assign_in_order(costs.at(0, 0), answer.matching, answer.proof, costs.rows(), costs.columns());
  } else if (costs.rows() > 0) {
    Task<T> task{costs, warm_start,        std::numeric_limits<double>::infinity(),
                 {},    solution.counters, interrupt};
    const Attempt attempt = solve_by_size(costs, task, answer);
    if (attempt != Attempt::solved) return status_of(attempt);
  } else {
    answer.matching.reset(costs.rows(), costs.columns());
  }
  write_solution(costs, answer.matching, answer.proof, answer.pair_cost, solution);
  return Status::ok;
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
