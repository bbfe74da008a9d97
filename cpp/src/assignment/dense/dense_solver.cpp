#include "assignment/dense/dense_solver.hpp"

#include "assignment/dense/dense_problem.hpp"
#include "assignment/dense/stages.hpp"
#include "assignment/strategy/tuning.hpp"

namespace rebasin::assignment {

template <class T>
Attempt solve_densely(const CostRows<T>& costs, MatchingState& state, const DenseLimits& limits,
                      AssignmentCounters& counters, Interrupt& interrupt) {
  DenseProblem<T> problem(costs, state, limits.unmatched_price, counters, interrupt);
  ReducedRows reduced = reduce_rows(problem, limits.until_conflicts);
  const auto share_free = static_cast<double>(reduced.free.size()) / static_cast<double>(problem.rows);
  if (reduced.attempt == Attempt::solved && share_free > limits.most_free_rows) return Attempt::declined;
  // Columns of other problems that stay unmatched need a dual of zero.
  if (reduced.attempt == Attempt::solved && share_free > tuning::many_free_rows && problem.square()) {
    const Attempt scaled = scale_epsilon(problem);
    if (scaled != Attempt::solved) return scaled;
    reduced = reduce_rows(problem, false);
  }
  return reduced.attempt == Attempt::solved ? augment_rows(problem, reduced.free) : reduced.attempt;
}

template Attempt solve_densely<float>(const CostRows<float>&, MatchingState&, const DenseLimits&,
                                      AssignmentCounters&, Interrupt&);
template Attempt solve_densely<double>(const CostRows<double>&, MatchingState&, const DenseLimits&,
                                       AssignmentCounters&, Interrupt&);

}  // namespace rebasin::assignment
