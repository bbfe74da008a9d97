// The conditions of the strategies.
#pragma once

#include <cstdint>
#include <limits>

#include "assignment/strategy/strategies.hpp"
#include "assignment/strategy/tuning.hpp"

namespace rebasin::assignment {

template <class T>
bool is_square(const Task<T>& task) {
  return task.costs.rows() == task.costs.columns();
}

template <class T>
bool is_priced(const Task<T>& task) {
  return task.unmatched_price < std::numeric_limits<double>::infinity();
}

template <class T>
bool fits_lists(const Task<T>& task) {
  constexpr std::int64_t most_columns = std::numeric_limits<std::int32_t>::max();
  return !is_priced(task) && !task.traits.offset_dominates && task.costs.columns() <= most_columns;
}

template <class T>
bool is_wide(const Task<T>& task) {
  return task.costs.columns() >= tuning::wide * task.costs.rows() && task.costs.rows() >= tuning::few_rows;
}

template <class T>
bool is_small(const Task<T>& task) {
  if (is_square(task)) return task.costs.columns() <= tuning::few_columns;
  return task.costs.columns() <=
         (is_wide(task) ? tuning::few_columns_of_wide : tuning::few_columns_of_rectangle);
}

// float32 is read by lists at twice the lanes that whole rows in double have.
template <class T>
bool is_fairly_small(const Task<T>& task) {
  return sizeof(T) == 8 && is_square(task) && task.costs.columns() <= tuning::fairly_few_columns;
}

// So little wider than high that rows of one value, added to make it square, cost less than they gain.
template <class T>
bool is_nearly_square(const Task<T>& task) {
  const std::int64_t more = task.costs.columns() - task.costs.rows();
  return !is_priced(task) && more > 0 && more <= task.costs.columns() / tuning::nearly_square &&
         task.costs.columns() * task.costs.columns() <= tuning::most_entries_padded;
}

template <class T>
bool has_filler(const Task<T>& task) {
  return task.traits.filler_share >= tuning::filler_share;
}

template <class T>
bool has_constant_parts(const Task<T>& task) {
  // Zeros beside costs of both signs are dead units, which lists presolve.
  return !is_priced(task) && !has_filler(task) && !task.traits.negative &&
         task.traits.equal_neighbours >= tuning::constant_share;
}

template <class T>
bool decided_by_ties(const Task<T>& task) {
  return is_square(task) && task.traits.few_values;
}

// A few rows and columns outweigh all others: most entries are close to each other beside those.
template <class T>
bool has_heavy_rows(Task<T>& task) {
  return task.traits.smooth && task.rows_differ();
}

template <class T>
bool may_have_own_minima(Task<T>& task) {
  if (is_priced(task) || decided_by_ties(task)) return false;
  if (is_small(task)) return true;
  if (is_square(task)) return task.best_entries.lead || (task.traits.smooth && !has_heavy_rows(task));
  return !is_wide(task);
}

// Where lists ran out of budget, path searches over whole rows may take longer still.
template <class T>
bool deserves_lists_again(const Task<T>& task) {
  return is_square(task) && fits_lists(task) && task.costs.rows() >= tuning::rows_to_try_lists_again;
}

}  // namespace rebasin::assignment
