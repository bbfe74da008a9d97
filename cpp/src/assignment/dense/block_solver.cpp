#include "assignment/dense/block_solver.hpp"

#include <bit>

#include "assignment/proof/exact_sums.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {
namespace {

template <class T>
using Problem = simd::BlockProblem<T>;

template <class T>
void solve_copy(const CostRows<T>& costs, Problem<T>& problem) {
  problem.rows = static_cast<int>(costs.rows());
  problem.columns = static_cast<int>(costs.columns());
  const int width = problem.columns <= 16 ? 16 : problem.columns <= 32 ? 32 : 64;
  const T* runs[block_columns];
  for (int i = 0; i < problem.rows; ++i) runs[i] = costs.row(i, problem.cost + i * width);
  simd::kernels<T>().solve_block(runs, costs.sign_mask(), problem);
}

// The greatest double at or below every reduced cost of the row in real arithmetic. Rounding is monotone, so
// only the entries that round to the least can lie below it.
template <class T>
double row_dual(const Problem<T>& problem, const T* run, int i) {
  const double least = problem.least[i];
  for (std::uint64_t bits = problem.holders[i]; bits != 0; bits &= bits - 1) {
    const int j = std::countr_zero(bits);
    if (difference_error(static_cast<double>(run[j]), problem.v[j], least) < 0.0) return next_down(least);
  }
  return least;
}

}  // namespace

template <class T>
Attempt solve_block(const CostRows<T>& costs, MatchingState& state, Certificate& proof) {
  Problem<T> problem;
  solve_copy(costs, problem);
  if (problem.found == simd::BlockFound::infeasible) return Attempt::infeasible;
  if (problem.found != simd::BlockFound::optimum) return Attempt::invalid;
  const int width = problem.columns <= 16 ? 16 : problem.columns <= 32 ? 32 : 64;
  state.v.assign(problem.v, problem.v + problem.columns);
  state.column_of.assign(problem.column_of, problem.column_of + problem.rows);
  state.row_of.assign(problem.row_of, problem.row_of + problem.columns);
  proof.u.resize(problem.rows);
  double bound = 0.0;
  for (int i = 0; i < problem.rows; ++i) {
    const T* run = problem.cost + i * width;
    const int j = problem.column_of[i];
    proof.u[i] = row_dual(problem, run, i);
    const double slack = slack_bound(static_cast<double>(run[j]), problem.v[j], proof.u[i]);
    if (slack > 0.0) bound = add_up(bound, slack);
  }
  if (problem.rows < problem.columns) {
    for (int j = 0; j < problem.columns; ++j) {
      if (problem.row_of[j] < 0) bound = add_up(bound, -problem.v[j]);
    }
  }
  Interrupt never;
  proof.gap = bound > 0.0 && totals_lie_apart(costs, bound, never) ? 0.0 : bound;
  return Attempt::solved;
}

template Attempt solve_block<float>(const CostRows<float>&, MatchingState&, Certificate&);
template Attempt solve_block<double>(const CostRows<double>&, MatchingState&, Certificate&);

}  // namespace rebasin::assignment
