#include "assignment/lists/list_state.hpp"

#include <algorithm>

namespace rebasin::assignment {

template <class T>
ListState<T>::ListState(const CostRows<T>& problem)
    : costs(problem),
      kernels(simd::kernels<T>()),
      rows(problem.rows()),
      columns(problem.columns()),
      sign_mask(problem.sign_mask()),
      buffer(problem.make_buffer()),
      duals(columns),
      matching(rows, columns),
      lists(rows, duals.v.size()),
      presolve(rows) {
  counters.list_bytes = rows * static_cast<std::int64_t>(sizeof(simd::Record<T>));
}

template <class T>
void ListState<T>::forget() {
  matching.drop();
  matching.free_rows.clear();
  duals.clear();
  presolve.clear();
  std::fill(lists.bound_is_rounded.begin(), lists.bound_is_rounded.end(), std::uint8_t{0});
}

template <class T>
void ListState<T>::restart() {
  forget();
  evidence = Evidence::lists;
  row_duals.clear();
  // Known beforehand, the spread of rows stays.
  traits = {.rows_differ = traits.rows_differ};
  counters = {.list_bytes = counters.list_bytes};
  budget = {};
  lists.guess = {};
}

template struct ListState<float>;
template struct ListState<double>;

}  // namespace rebasin::assignment
