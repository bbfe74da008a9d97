// The strategies that read candidate lists.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "assignment/lists/list_solver.hpp"
#include "assignment/proof/list_certificate.hpp"
#include "assignment/strategy/strategies.hpp"
#include "assignment/strategy/tuning.hpp"

namespace rebasin::assignment {

// The matching of the lists, proven from the evidence that its stages left.
template <class T>
Attempt take_from_lists(Task<T>& task, ListState<T>& state, Attempt attempt, Answer& answer) {
  if (attempt == Attempt::solved && state.evidence == Evidence::lists) {
    attempt = certify_lists(state, answer.proof, answer.pair_cost, task.interrupt);
  }
  task.counters.add(state.counters);
  if (attempt != Attempt::solved) return attempt;
  answer.matching.take(state.matching.column_of, state.matching.row_of, state.duals.v, state.columns);
  if (state.evidence == Evidence::lists) return attempt;
  const bool given = state.evidence == Evidence::row_duals;
  if (!given) task.counters.entries_read += task.costs.rows() * task.costs.columns();
  answer.proof.u = std::move(state.row_duals);
  const Status status = certify(task.costs, answer.matching, std::numeric_limits<double>::infinity(),
                                given ? RowDuals::given : RowDuals::computed, answer.proof, task.interrupt);
  if (status != Status::ok) return Attempt::interrupted;
  for (std::int64_t i = 0; i < task.costs.rows(); ++i) {
    answer.pair_cost.push_back(task.costs.at(i, answer.matching.column_of[i]));
  }
  return attempt;
}

template <class T>
Attempt match_tied_entries(Task<T>& task, Answer& answer) {
  ListState<T>& state = task.fresh_lists();
  return take_from_lists(task, state, match_by_ties(state, task.interrupt), answer);
}

// `share` multiplies the reads and refills allowed.
template <class T>
Attempt solve_by_budgeted_lists(Task<T>& task, Answer& answer, double share) {
  ListState<T>& state = task.fresh_lists();
  const auto rows = static_cast<double>(task.costs.rows());
  state.budget.work = share * (tuning::list_reads + rows / tuning::rows_per_list_read) * rows *
                      static_cast<double>(task.costs.columns());
  state.traits.rows_differ = task.rows_differ();
  state.budget.refills = share * std::max(tuning::least_refills, rows / tuning::rows_per_refill) * rows;
  return take_from_lists(task, state, solve_by_lists(state, task.interrupt), answer);
}

template <class T>
Attempt solve_from_warm_start(Task<T>& task, Answer& answer) {
  const WarmStart& start = *task.warm_start;
  ListState<T>& state = task.fresh_lists();
  const double* row_duals = task.costs.transposed() ? start.column_duals : start.row_duals;
  const double* column_duals = task.costs.transposed() ? start.row_duals : start.column_duals;
  const Attempt attempt = solve_from_duals(state, row_duals, column_duals, task.interrupt);
  return take_from_lists(task, state, attempt, answer);
}

// Rows whose best entry leads in a column of its own.
template <class T>
Attempt match_aligned_rows(Task<T>& task, Answer& answer) {
  ListState<T>& state = task.fresh_lists();
  state.budget.work = tuning::aligned_reads * static_cast<double>(task.costs.rows() * task.costs.columns());
  return take_from_lists(task, state, match_aligned(state, task.interrupt), answer);
}

}  // namespace rebasin::assignment
