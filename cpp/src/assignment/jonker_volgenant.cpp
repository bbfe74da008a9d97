#include "assignment/jonker_volgenant.hpp"

#include <numeric>

#include "assignment/augmentation.hpp"
#include "assignment/column_reduction.hpp"
#include "assignment/row_reduction.hpp"

namespace rebasin::assignment {

template <class T>
Status solve_jonker_volgenant(const CostRows<T>& costs, MatchingState& state, Interrupt& interrupt) {
  constexpr std::int64_t scans_per_row = 4;
  state.reset(costs.rows(), costs.columns());
  if (costs.rows() == costs.columns()) {
    const Status status = reduce_columns(costs, state, interrupt);
    if (status != Status::ok) return status;
  } else {
    state.free_rows.resize(costs.rows());
    std::iota(state.free_rows.begin(), state.free_rows.end(), std::int64_t{0});
  }
  const Status status = reduce_rows(costs, state, scans_per_row * costs.rows(), interrupt);
  if (status != Status::ok) return status;
  return augment(costs, state, interrupt);
}

template Status solve_jonker_volgenant<float>(const CostRows<float>&, MatchingState&, Interrupt&);
template Status solve_jonker_volgenant<double>(const CostRows<double>&, MatchingState&, Interrupt&);

}  // namespace rebasin::assignment
