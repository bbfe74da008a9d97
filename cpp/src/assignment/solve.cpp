#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "assignment/costs/cost_range.hpp"
#include "assignment/costs/cost_rows.hpp"
#include "assignment/dense/block_solver.hpp"
#include "assignment/exact/finish.hpp"
#include "assignment/proof/conclusion.hpp"
#include "assignment/strategy/strategies.hpp"
#include "rebasin/assignment.hpp"

namespace rebasin {
namespace {

using namespace assignment;

constexpr double infinity = std::numeric_limits<double>::infinity();

// Matrices up to this size that cannot be read in place are converted once, larger ones row by row each time.
constexpr std::int64_t most_entries_converted = std::int64_t{1} << 22;

// Prices are sums of more costs than duals are; these are tried without a scale first.
constexpr double prices_may_overflow = 0x1p960;

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

// The identity, optimal when every entry is equal; SciPy returns it there.
void assign_in_order(double value, Answer& answer, std::int64_t rows, std::int64_t columns) {
  answer.matching.reset(rows, columns);
  for (std::int64_t i = 0; i < rows; ++i) answer.matching.assign(i, i);
  answer.proof.u.assign(rows, value);
  answer.proof.gap = 0.0;
}

// One finite value everywhere; the first entries of most matrices differ.
template <class T>
bool is_constant(const CostRows<T>& costs) {
  std::vector<T> buffer = costs.make_buffer();
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

template <class T>
Attempt solve_by_size(Task<T>& task, Answer& answer) {
  if (task.costs.columns() > block_columns) return solve_by_strategies(task, answer);
  task.counters.strategy = "registers";
  return solve_block(task.costs, answer.matching, answer.proof);
}

// The state of one call.
template <class T>
struct Call {
  const AnyCostView& view;
  CostRows<T> costs;
  const WarmStart* warm_start;
  Rounded rounded;  // integers that T does not hold
  AssignmentSolution& solution;
  Interrupt& interrupt;
  std::vector<double> pair_costs = {};  // of the last attempt, where it knew them

  Attempt attempt() {
    Answer answer;
    Task<T> task{costs, warm_start, infinity, {}, solution.counters, interrupt};
    Attempt result = Attempt::solved;
    if (rounded != Rounded::others && is_constant(costs)) {
      assign_in_order(costs.at(0, 0), answer, costs.rows(), costs.columns());
      solution.counters.strategy = "constant";
    } else {
      result = solve_by_size(task, answer);
    }
    if (result == Attempt::solved) write_solution(costs, answer, solution);
    pair_costs = std::move(answer.pair_cost);
    return result;
  }
};

// Once more, where costs of many magnitudes made the proof fail or sums overflow: with the offset removed,
// "forbidden" brought near, or all scaled.
template <class T>
Attempt attempt_transformed(Call<T>& call, bool& transformed) {
  CostRange range;
  const Attempt measured = measure_range(call.costs, range, call.interrupt);
  if (measured != Attempt::solved) return measured;
  if (!range.any) return Attempt::infeasible;
  const auto transform = choose_transform<T>(range, call.costs.rows());
  if (!transform) return Attempt::declined;
  transformed = true;
  call.warm_start = nullptr;
  call.costs.set_transform(*transform);
  call.costs.convert_once(most_entries_converted);
  return call.attempt();
}

// The assignment of a transformed problem is as close to the optimum as there. Its duals are not those of the
// problem as it was passed; the first ones are, up to the bits that offset and marker cost them.
template <class T>
bool keep_first_duals(Call<T>& call, const AssignmentSolution& first) {
  AssignmentSolution& solution = call.solution;
  solution.row_duals = first.row_duals;
  solution.column_duals = first.column_duals;
  return conclude(call.view, {}, solution) && duals_prove_up_to_bits(call.view, solution);
}

// Whether the duals may reach an integer that was rounded up. They are tight there, or near it.
bool may_exceed(const AssignmentSolution& solution) {
  constexpr double below_all_rounded = 0x1p51;  // the least of them is above 2^53
  const auto reaches = [](double dual) { return std::abs(dual) >= below_all_rounded; };
  return std::any_of(solution.row_duals.begin(), solution.row_duals.end(), reaches) ||
         std::any_of(solution.column_duals.begin(), solution.column_duals.end(), reaches);
}

template <class T>
Status solve_complete(Call<T>& call) {
  bool transformed = call.costs.integer_offset() != 0;
  Attempt attempt = call.attempt();
  const bool solved = attempt == Attempt::solved;
  if (solved && !transformed && call.rounded != Rounded::others &&
      conclude(call.view, std::move(call.pair_costs), call.solution) &&
      !(call.rounded == Rounded::largest && may_exceed(call.solution))) {
    return Status::ok;
  }
  // Sums of float32 costs do not overflow.
  const bool may_overflow = sizeof(T) == 8 && (attempt == Attempt::infeasible || attempt == Attempt::invalid);
  const bool spoilt = solved && !(call.solution.gap == 0.0);
  if (!spoilt && !may_overflow) {
    return solved ? finish_exactly(call.view, call.solution, call.interrupt) : status_of(attempt);
  }
  const AssignmentSolution first = call.solution;
  const Attempt again = attempt_transformed(call, transformed);
  if (again != Attempt::declined) attempt = again;
  if (attempt != Attempt::solved) return status_of(attempt);
  const bool marked = call.costs.transform().marker_from < infinity;
  if (transformed && spoilt && call.rounded != Rounded::others && call.costs.integer_offset() == 0) {
    if (keep_first_duals(call, first)) return Status::ok;
    if (marked) call.solution.gap = infinity;
  }
  return finish_exactly(call.view, call.solution, call.interrupt);
}

// Rows and columns may stay unmatched at half of the limit each: a row at the whole limit.
template <class T>
Status attempt_priced(Call<T>& call, const AssignmentOptions& options) {
  double price = options.cost_limit * call.costs.scale() * call.costs.transform().factor;
  if (options.partial) {
    CostRange range;
    const Attempt measured = measure_range(call.costs, range, call.interrupt);
    if (measured != Attempt::solved) return status_of(measured);
    price = range.any ? price_beyond(range, call.costs.rows()) : 1.0;
  }
  Answer answer;
  Task<T> task{call.costs, nullptr, price, {}, call.solution.counters, call.interrupt};
  const Attempt attempt = solve_by_strategies(task, answer);
  if (attempt != Attempt::solved) return status_of(attempt);
  write_solution(call.costs, answer, call.solution);
  conclude_priced(call.view, options.partial ? infinity : options.cost_limit, call.solution);
  return Status::ok;
}

// Whether sums of costs, or of the limit, may overflow.
template <class T>
Attempt are_huge(const Call<T>& call, double cost_limit, bool& huge) {
  CostRange range;
  const Attempt measured = measure_range(call.costs, range, call.interrupt);
  double largest = std::isfinite(cost_limit) ? std::abs(cost_limit) : 0.0;
  if (range.any) largest = std::max({largest, std::abs(range.least), std::abs(range.largest)});
  huge = largest >= prices_may_overflow;
  return measured;
}

template <class T>
Status solve_priced(Call<T>& call, const AssignmentOptions& options) {
  Status status = attempt_priced(call, options);
  if (sizeof(T) == 8 && status != Status::interrupted &&
      !(status == Status::ok && is_finite(call.solution))) {
    bool huge = false;
    const Attempt measured = are_huge(call, options.cost_limit, huge);
    if (measured != Attempt::solved) return status_of(measured);
    if (huge) {
      call.costs.set_transform({.factor = shrink});
      call.costs.convert_once(most_entries_converted);
      status = attempt_priced(call, options);
    }
  }
  if (status == Status::ok) allow_for_rounding(call.view, largest_rounding(call.view), call.solution);
  return status;
}

template <class T>
Status solve(const AnyCostView& view, AssignmentSolution& solution, Interrupt& caller,
             const AssignmentOptions& options) {
  // Reading the clock would cost small problems more than they do.
  constexpr std::int64_t soon_done = 1 << 14;
  Interrupt never;
  Interrupt& interrupt = view.rows * view.columns < soon_done ? never : caller;
  solution.counters = {};
  Call<T> call{view, CostRows<T>(view), options.warm_start, Rounded::none, solution, interrupt};
  if (call.costs.rows() == 0) {
    Answer answer;
    answer.matching.reset(call.costs.rows(), call.costs.columns());
    write_solution(call.costs, answer, solution);
    conclude_priced(view, options.cost_limit, solution);
    return Status::ok;
  }
  const bool limited = std::isfinite(options.cost_limit);
  if (options.partial || limited) return solve_priced(call, options);
  if constexpr (sizeof(T) == 8) call.rounded = remove_integer_offset(view, call.costs);
  if (call.costs.columns() > block_columns) call.costs.convert_once(most_entries_converted);
  return solve_complete(call);
}

}  // namespace

Status solve_assignment(const AnyCostView& cost, AssignmentSolution& solution, Interrupt& interrupt,
                        const AssignmentOptions& options) try {
  const bool huge_limit =
      std::isfinite(options.cost_limit) && std::abs(options.cost_limit) >= prices_may_overflow;
  const Status status = fits_float32(cost.dtype) && !huge_limit
                            ? solve<float>(cost, solution, interrupt, options)
                            : solve<double>(cost, solution, interrupt, options);
  return status == Status::ok && !is_finite(solution) ? Status::overflow : status;
} catch (const std::bad_alloc&) {
  return Status::out_of_memory;
}

}  // namespace rebasin
