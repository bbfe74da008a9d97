#include "assignment/column_reduction.hpp"

#include <algorithm>
#include <limits>

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Lowers v of a row's only column by the gap to the row's next best, which makes the row's claim on it
// strong.
template <class T>
void transfer_reduction(const T* run, double scale, std::int64_t column, std::vector<double>& v) {
  double next_best = infinity;
  for (std::int64_t j = 0; j < static_cast<std::int64_t>(v.size()); ++j) {
    const double reduced = scale * static_cast<double>(run[j]) - v[j];
    if (j != column) next_best = std::min(next_best, reduced);
  }
  if (next_best < infinity) v[column] -= next_best;
}

}  // namespace

template <class T>
Status reduce_columns(const CostRows<T>& costs, MatchingState& state, Interrupt& interrupt) {
  const std::int64_t n = costs.rows();
  const double scale = costs.scale();
  std::vector<T> buffer(n);
  std::vector<double>& v = state.v;
  v.assign(n, infinity);
  std::vector<std::int64_t> minimal_row(n, unassigned);
  for (std::int64_t i = 0; i < n; ++i) {
    if (interrupt.requested()) return Status::interrupted;
    const T* run = costs.row(i, buffer.data());
    for (std::int64_t j = 0; j < n; ++j) {
      const double cost = scale * static_cast<double>(run[j]);
      minimal_row[j] = cost < v[j] ? i : minimal_row[j];
      v[j] = std::min(v[j], cost);
    }
  }
  std::vector<std::int64_t> claims(n, 0);
  for (std::int64_t j = n; j-- > 0;) {
    const std::int64_t i = minimal_row[j];
    if (i == unassigned) return Status::infeasible;
    if (claims[i]++ == 0) state.assign(i, j);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    if (interrupt.requested()) return Status::interrupted;
    if (claims[i] == 0) {
      state.free_rows.push_back(i);
    } else if (claims[i] == 1) {
      transfer_reduction(costs.row(i, buffer.data()), scale, state.column_of[i], v);
    }
  }
  return Status::ok;
}

template Status reduce_columns<float>(const CostRows<float>&, MatchingState&, Interrupt&);
template Status reduce_columns<double>(const CostRows<double>&, MatchingState&, Interrupt&);

}  // namespace rebasin::assignment
