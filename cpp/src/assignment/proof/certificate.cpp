#include "assignment/proof/certificate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "assignment/exact/dyadic.hpp"
#include "assignment/proof/exact_sums.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The greatest double at or below every reduced cost of the row in real arithmetic. Rounding is monotone, so
// only the entries that round to the least can lie below it.
template <class T>
double row_dual(const simd::KernelsFor<T>& kernels, const T* run, T sign_mask, const std::vector<double>& v) {
  const simd::Tight tight = kernels.row_least(run, sign_mask, static_cast<std::int64_t>(v.size()), v.data());
  return tight.below ? next_down(tight.least) : tight.least;
}

}  // namespace

double slack_bound(double cost, double v, double u) {
  const double reduced = cost - v;
  const double slack = add_up(add_up(reduced, -u), difference_error(cost, v, reduced));
  return slack <= 0.0 ? 0.0 : slack;  // NaN, of sums that overflowed, proves nothing
}

template <class T>
bool totals_lie_apart(const CostRows<T>& costs, double bound, Interrupt& interrupt) {
  std::vector<T> buffer(costs.columns());
  const int bound_exponent = std::ilogb(bound);
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    if (interrupt.requested()) return false;
    const T* run = costs.row(i, buffer.data());
    for (std::int64_t j = 0; j < costs.columns(); ++j) {
      const double cost = costs.scale() * static_cast<double>(run[j]);
      if (cost != 0.0 && cost < infinity && to_dyadic(cost).exponent <= bound_exponent) return false;
    }
  }
  return true;
}

template <class T>
Status certify(const CostRows<T>& costs, MatchingState& state, double unmatched_price, RowDuals row_duals,
               Certificate& proof, Interrupt& interrupt) {
  const bool square = costs.rows() == costs.columns() && unmatched_price == infinity;
  std::vector<double>& v = state.v;
  if (!square) {
    for (double& dual : v) dual = std::min(dual, 0.0);
  }
  const simd::KernelsFor<T>& kernels = simd::kernels<T>();
  std::vector<T> buffer = costs.make_buffer();
  proof.u.resize(costs.rows());
  double bound = 0.0;
  bool rounded_costs = false;
  constexpr std::int64_t rows_between_polls = 32;  // reading the clock costs as much as a short row does
  for (std::int64_t i = 0; i < costs.rows(); ++i) {
    if (i % rows_between_polls == 0 && interrupt.requested()) return Status::interrupted;
    const T* run = costs.row(i, buffer.data());
    const std::int64_t j = state.column_of[i];
    if (costs.transform().factor < 1.0) {
      // By half of the least subnormal at most: an entry, and the matched one.
      bound = add_up(bound, std::numeric_limits<double>::denorm_min());
      rounded_costs = true;
    }
    if (row_duals == RowDuals::computed) {
      proof.u[i] = std::min(row_dual(kernels, run, costs.sign_mask(), v), unmatched_price);
    }
    if (j == unassigned) {
      bound = add_up(bound, add_up(unmatched_price, -proof.u[i]));
      continue;
    }
    bound = add_up(bound, slack_bound(costs.scale() * static_cast<double>(run[j]), v[j], proof.u[i]));
  }
  if (!square) {
    for (std::int64_t j = 0; j < costs.columns(); ++j) {
      if (state.row_of[j] == unassigned) bound = add_up(bound, -v[j]);
    }
  }
  proof.gap = bound > 0.0 && !rounded_costs && totals_lie_apart(costs, bound, interrupt) ? 0.0 : bound;
  return Status::ok;
}

template bool totals_lie_apart<float>(const CostRows<float>&, double, Interrupt&);
template bool totals_lie_apart<double>(const CostRows<double>&, double, Interrupt&);
template Status certify<float>(const CostRows<float>&, MatchingState&, double, RowDuals, Certificate&,
                               Interrupt&);
template Status certify<double>(const CostRows<double>&, MatchingState&, double, RowDuals, Certificate&,
                                Interrupt&);

}  // namespace rebasin::assignment
