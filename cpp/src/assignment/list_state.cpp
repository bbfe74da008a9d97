#include "assignment/list_state.hpp"

#include <algorithm>

namespace rebasin::assignment {

template <class T>
ListState<T>::ListState(const CostRows<T>& problem)
    : costs(problem),
      kernels(simd::select<T>(simd::active())),
      rows(problem.rows()),
      columns(problem.columns()),
      flip(problem.scale() < 0 ? -T{0} : T{0}),
      records(std::make_unique_for_overwrite<simd::Record<T>[]>(rows)),
      pair_cost(rows),
      v((columns + simd::block - 1) / simd::block * simd::block, 0.0),
      v_up(v.size(), T{0}),
      bound_is_rounded(rows, 0),
      frozen(rows, 0),
      column_of(rows, static_cast<std::int32_t>(unassigned)),
      row_of(columns, static_cast<std::int32_t>(unassigned)),
      buffer(problem.direct() ? 0 : columns),
      masks(v.size() / simd::block + 1) {
  free_rows.reserve(rows);
  counters.list_bytes = rows * static_cast<std::int64_t>(sizeof(simd::Record<T>));
}

template <class T>
void ListState<T>::drop_matching() {
  std::fill(column_of.begin(), column_of.end(), static_cast<std::int32_t>(unassigned));
  std::fill(row_of.begin(), row_of.end(), static_cast<std::int32_t>(unassigned));
}

template <class T>
void ListState<T>::forget() {
  drop_matching();
  free_rows.clear();
  frozen_pairs.clear();
  spare_rows.clear();
  frozen_dual = 0.0;
  std::fill(v.begin(), v.end(), 0.0);
  std::fill(v_up.begin(), v_up.end(), T{0});
  std::fill(frozen.begin(), frozen.end(), std::uint8_t{0});
  std::fill(bound_is_rounded.begin(), bound_is_rounded.end(), std::uint8_t{0});
}

template <class T>
void ListState<T>::restart() {
  forget();
  mostly_ties = columns_repeat = minima_far_apart = solved_by_ties = false;
  counters = {.list_bytes = counters.list_bytes};
  work_allowed = refills_allowed = std::numeric_limits<double>::infinity();
  guess = {};
}

template struct ListState<float>;
template struct ListState<double>;

}  // namespace rebasin::assignment
