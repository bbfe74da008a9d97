// The strategies that read whole rows.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "assignment/costs/padded_costs.hpp"
#include "assignment/dense/stages.hpp"
#include "assignment/strategy/strategies.hpp"
#include "assignment/strategy/suits.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {

template <class T>
Attempt certified(Task<T>& task, Answer& answer, Attempt attempt) {
  if (attempt != Attempt::solved) return attempt;
  const Status status = certify(task.costs, answer.matching, task.unmatched_price, RowDuals::computed,
                                answer.proof, task.interrupt);
  return status == Status::ok ? attempt : Attempt::interrupted;
}

template <class T>
Attempt run_dense(Task<T>& task, Answer& answer, const DenseLimits& limits) {
  const Attempt attempt = solve_densely(task.costs, answer.matching, limits, task.counters, task.interrupt);
  return certified(task, answer, attempt);
}

// The least entry, whose proof needs no arithmetic.
template <class T>
Attempt match_single_row(Task<T>& task, Answer& answer) {
  const std::int64_t columns = task.costs.columns();
  std::vector<T> buffer = task.costs.make_buffer();
  answer.matching.reset(1, columns);
  answer.matching.v.resize(columns + simd::block, 0.0);
  const simd::RowBid bid = simd::kernels<T>().bid_row(
      task.costs.row(0, buffer.data()), task.costs.sign_mask(), columns, answer.matching.v.data());
  answer.matching.v.resize(columns);
  task.counters.entries_read += columns;
  if (bid.invalid) return Attempt::invalid;
  if (!(bid.best < std::numeric_limits<double>::infinity())) return Attempt::infeasible;
  answer.matching.assign(0, bid.at);
  answer.proof.u.assign(1, bid.best);
  answer.proof.gap = 0.0;
  return Attempt::solved;
}

// Columns without an entry of their own, and rows whose best entry leads far, draw no rows at duals of zero.
template <class T>
Attempt start_from_zero(Task<T>& task, Answer& answer, const DenseLimits& limits) {
  answer.matching.reset(task.costs.rows(), task.costs.columns());
  return run_dense(task, answer, limits);
}

// Sets the column duals of `square` from its first `counted_rows` rows.
template <class T>
Attempt start_from_minima(Task<T>& task, const CostRows<T>& square, std::int64_t counted_rows,
                          MatchingState& state) {
  task.counters.entries_read += counted_rows * square.columns();
  return task.traits.columns_differ ? start_from_column_minima(square, counted_rows, state, task.interrupt)
                                    : start_from_reduced_minima(square, counted_rows, state, task.interrupt);
}

// From minima where the problem is square, else from zero.
template <class T>
Attempt start_dense(Task<T>& task, Answer& answer, double most_free_rows) {
  const DenseLimits limits{.unmatched_price = task.unmatched_price, .most_free_rows = most_free_rows};
  if (is_priced(task) || !is_square(task)) return start_from_zero(task, answer, limits);
  const Attempt attempt = start_from_minima(task, task.costs, task.costs.rows(), answer.matching);
  return attempt == Attempt::solved ? run_dense(task, answer, limits) : attempt;
}

template <class T>
Attempt solve_constant_parts(Task<T>& task, Answer& answer) {
  const Attempt attempt =
      start_from_column_minima(task.costs, task.costs.rows(), answer.matching, task.interrupt);
  if (attempt != Attempt::solved) return attempt;
  task.counters.entries_read += task.costs.rows() * task.costs.columns();
  return run_dense(task, answer, {.most_free_rows = tuning::free_rows_after_minima});
}

// Rows of one value make the problem square; its duals, lowered to the largest, are those of the rectangle.
template <class T>
Attempt solve_padded(Task<T>& task, Answer& answer) {
  PaddedCosts<T> padded(task.costs);
  MatchingState square;
  Attempt attempt = start_from_minima(task, padded.rows(), task.costs.rows(), square);
  if (attempt == Attempt::solved) {
    attempt = solve_densely(padded.rows(), square, {}, task.counters, task.interrupt);
  }
  if (attempt != Attempt::solved) return attempt;
  padded.restore(square, answer.matching);
  return certified(task, answer, attempt);
}

}  // namespace rebasin::assignment
