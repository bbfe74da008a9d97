#include "assignment/strategy/strategies.hpp"

#include <algorithm>
#include <limits>

#include "assignment/costs/padded_costs.hpp"
#include "assignment/dense/block_solver.hpp"
#include "assignment/dense/dense_start.hpp"
#include "assignment/lists/list_solver.hpp"
#include "assignment/lists/list_warm_start.hpp"
#include "assignment/lists/start/aligned_rows.hpp"
#include "assignment/proof/list_certificate.hpp"
#include "assignment/strategy/row_spread.hpp"
#include "assignment/strategy/suits.hpp"
#include "assignment/strategy/tuning.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
Attempt certified(Task<T>& task, Answer& answer, Attempt attempt) {
  if (attempt != Attempt::solved) return attempt;
  answer.proof.u.clear();
  const Status status =
      certify(task.costs, answer.matching, task.unmatched_price, answer.proof, task.interrupt);
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
  std::vector<T> buffer(task.costs.direct() ? 0 : columns);
  answer.matching.reset(1, columns);
  answer.matching.v.resize(columns + simd::block, 0.0);
  const simd::RowBid bid =
      simd::select<T>(simd::active())
          .bid_row(task.costs.row(0, buffer.data()), task.costs.scale() < 0 ? -T{0} : T{0}, columns,
                   answer.matching.v.data());
  answer.matching.v.resize(columns);
  task.counters.entries_read += columns;
  if (bid.invalid) return Attempt::invalid;
  if (!(bid.best < infinity)) return Attempt::infeasible;
  answer.matching.assign(0, bid.at);
  answer.proof.u.assign(1, bid.best);
  answer.proof.gap = 0.0;
  return Attempt::solved;
}

// Every row its least entry, where these lie in columns of their own.
template <class T>
Attempt match_row_minima(Task<T>& task, Answer& answer) {
  answer.matching.reset(task.costs.rows(), task.costs.columns());
  return run_dense(task, answer, {.most_free_rows = tuning::free_rows_after_minima, .until_conflicts = true});
}

// The column duals that a square problem's first `counted_rows` rows give.
template <class T>
Attempt start_from_minima(Task<T>& task, const CostRows<T>& square, std::int64_t counted_rows,
                          MatchingState& state) {
  task.counters.entries_read += counted_rows * square.columns();
  return task.traits.columns_differ ? start_from_column_minima(square, counted_rows, state, task.interrupt)
                                    : start_from_reduced_minima(square, counted_rows, state, task.interrupt);
}

template <class T>
Attempt start_dense(Task<T>& task, Answer& answer, double most_free_rows) {
  Attempt attempt = Attempt::solved;
  if (is_priced(task) || !is_square(task)) {
    answer.matching.reset(task.costs.rows(), task.costs.columns());
  } else {
    attempt = start_from_minima(task, task.costs, task.costs.rows(), answer.matching);
  }
  if (attempt != Attempt::solved) return attempt;
  return run_dense(task, answer, {.unmatched_price = task.unmatched_price, .most_free_rows = most_free_rows});
}

template <class T>
Attempt solve_constant_parts(Task<T>& task, Answer& answer) {
  const Attempt attempt =
      start_from_column_minima(task.costs, task.costs.rows(), answer.matching, task.interrupt);
  if (attempt != Attempt::solved) return attempt;
  task.counters.entries_read += task.costs.rows() * task.costs.columns();
  return run_dense(task, answer, {.most_free_rows = tuning::free_rows_after_minima});
}

template <class T>
Attempt solve_densely_if_few_are_free(Task<T>& task, Answer& answer) {
  return start_dense(task, answer, tuning::many_free_rows);
}

template <class T>
Attempt solve_all_densely(Task<T>& task, Answer& answer) {
  return start_dense(task, answer, 1.0);
}

template <class T>
Attempt solve_densely_if_very_few_are_free(Task<T>& task, Answer& answer) {
  return start_dense(task, answer, tuning::few_free_rows);
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

// Few entries matter among a filler that all the others equal: rows choose from duals of zero, as columns
// without an entry of their own would draw every row to them.
template <class T>
Attempt solve_few_entries(Task<T>& task, Answer& answer) {
  answer.matching.reset(task.costs.rows(), task.costs.columns());
  return run_dense(task, answer, {});
}

// Takes the result of the lists, proven.
template <class T>
Attempt take_from_lists(Task<T>& task, ListState<T>& state, Attempt attempt, Answer& answer) {
  const bool by_ties = state.solved_by_ties;
  if (attempt == Attempt::solved && !by_ties) {
    attempt = certify_lists(state, answer.proof, answer.pair_cost, task.interrupt);
  }
  task.counters.add(state.counters);
  if (attempt != Attempt::solved) {
    answer.proof.u.clear();
    answer.pair_cost.clear();
    return attempt;
  }
  answer.matching.take(state.matching.column_of, state.matching.row_of, state.duals.v, state.columns);
  if (by_ties) {
    if (answer.proof.u.empty()) task.counters.entries_read += task.costs.rows() * task.costs.columns();
    if (certify(task.costs, answer.matching, infinity, answer.proof, task.interrupt) != Status::ok)
      return Attempt::interrupted;
    for (std::int64_t i = 0; i < task.costs.rows(); ++i)
      answer.pair_cost.push_back(task.costs.at(i, answer.matching.column_of[i]));
  }
  return attempt;
}

template <class T>
Attempt match_tied_entries(Task<T>& task, Answer& answer) {
  ListState<T>& state = task.fresh_lists();
  answer.proof.u.clear();
  answer.pair_cost.clear();
  const Attempt attempt = match_by_ties(state, answer.proof, task.interrupt);
  return take_from_lists(task, state, attempt, answer);
}

// `share` multiplies what the lists may take at first.
template <class T>
Attempt solve_by_budgeted_lists(Task<T>& task, Answer& answer, double share) {
  ListState<T>& state = task.fresh_lists();
  const auto rows = static_cast<double>(task.costs.rows());
  state.budget.work = share * (tuning::list_reads + rows / tuning::rows_per_list_read) * rows *
                      static_cast<double>(task.costs.columns());
  state.traits.rows_differ = task.rows_differ();
  state.budget.refills = share * std::max(tuning::least_refills, rows / tuning::rows_per_refill) * rows;
  answer.proof.u.clear();
  answer.pair_cost.clear();
  const Attempt attempt = solve_by_lists(state, answer.proof, task.interrupt);
  return take_from_lists(task, state, attempt, answer);
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

template <class T>
Attempt solve_by_lists_at_first(Task<T>& task, Answer& answer) {
  return solve_by_budgeted_lists(task, answer, 1.0);
}

template <class T>
Attempt solve_by_lists_again(Task<T>& task, Answer& answer) {
  return solve_by_budgeted_lists(task, answer, tuning::second_share);
}

// Rows whose best entry stands out in a column of its own.
template <class T>
Attempt match_aligned_rows(Task<T>& task, Answer& answer) {
  ListState<T>& state = task.fresh_lists();
  state.budget.work = tuning::aligned_reads * static_cast<double>(task.costs.rows() * task.costs.columns());
  const Attempt attempt = match_aligned(state, task.interrupt);
  return take_from_lists(task, state, attempt, answer);
}

// Rows whose best entry leads far, wherever it lies, give way to few others: duals of zero are a good start.
template <class T>
Attempt match_leading_entries(Task<T>& task, Answer& answer) {
  answer.matching.reset(task.costs.rows(), task.costs.columns());
  return run_dense(task, answer, {.most_free_rows = tuning::free_rows_after_minima});
}

template <class T>
struct Strategy {
  bool (*suits)(Task<T>&);
  Attempt (*run)(Task<T>&, Answer&);
};

template <class T>
constexpr Strategy<T> strategies[] = {
    {[](Task<T>& task) { return task.warm_start != nullptr && fits_lists(task); }, solve_from_warm_start<T>},
    {[](Task<T>& task) { return task.best_entries.apart; }, match_aligned_rows<T>},
    {[](Task<T>& task) { return decided_by_ties(task) && fits_lists(task); }, match_tied_entries<T>},
    {[](Task<T>& task) { return !is_priced(task) && has_filler(task); }, solve_few_entries<T>},
    {[](Task<T>& task) { return is_square(task) && has_constant_parts(task); }, solve_constant_parts<T>},
    {[](Task<T>& task) { return may_have_own_minima(task); }, match_row_minima<T>},
    {[](Task<T>& task) {
       return is_nearly_square(task) && (task.traits.smooth || task.traits.columns_differ) &&
              !has_heavy_rows(task);
     },
     solve_padded<T>},
    {[](Task<T>& task) { return task.best_entries.lead && !task.rows_differ(); }, match_leading_entries<T>},
    {[](Task<T>& task) { return is_small(task) && !has_heavy_rows(task); }, solve_all_densely<T>},
    {[](Task<T>& task) { return is_square(task) && task.traits.smooth && !has_heavy_rows(task); },
     solve_all_densely<T>},
    {[](Task<T>& task) { return is_square(task) && task.traits.tied; }, solve_densely_if_few_are_free<T>},
    {[](Task<T>& task) { return is_fairly_small(task) && !has_heavy_rows(task); },
     solve_densely_if_very_few_are_free<T>},
    {[](Task<T>& task) { return fits_lists(task); }, solve_by_lists_at_first<T>},
    {[](Task<T>& task) {
       return is_square(task) && fits_lists(task) && task.costs.rows() >= tuning::rows_to_try_lists_again;
     },
     solve_densely_if_few_are_free<T>},
    {[](Task<T>& task) {
       return is_square(task) && fits_lists(task) && task.costs.rows() >= tuning::rows_to_try_lists_again;
     },
     solve_by_lists_again<T>},
    {[](Task<T>&) { return true; }, solve_all_densely<T>},
};

}  // namespace

// One for all strategies of a task: its pages cost as much as a read of the matrix does.
template <class T>
ListState<T>& Task<T>::fresh_lists() {
  if (lists == nullptr) {
    lists = std::make_unique<ListState<T>>(costs);
  } else {
    lists->restart();
  }
  return *lists;
}

template <class T>
bool Task<T>::rows_differ() {
  if (!sampled_rows_differ) sampled_rows_differ = rows_differ_in_spread(costs);
  return *sampled_rows_differ;
}

template <class T>
Attempt solve_by_strategies(Task<T>& task, Answer& answer) {
  if (task.costs.rows() == 1 && !is_priced(task)) return match_single_row(task, answer);
  if (task.costs.rows() <= tuning::too_few_rows_to_sample) return solve_all_densely(task, answer);
  task.traits = sample_traits(task.costs);
  if (is_square(task) && fits_lists(task) && !is_small(task) && !decided_by_ties(task) && !has_filler(task) &&
      !has_constant_parts(task)) {
    task.best_entries = look_at_best_entries(task.fresh_lists());
  }
  for (const Strategy<T>& strategy : strategies<T>) {
    if (!strategy.suits(task)) continue;
    const Attempt attempt = strategy.run(task, answer);
    if (attempt != Attempt::declined && attempt != Attempt::out_of_budget) return attempt;
  }
  return Attempt::declined;
}

template Attempt solve_by_strategies<float>(Task<float>&, Answer&);
template Attempt solve_by_strategies<double>(Task<double>&, Answer&);

}  // namespace rebasin::assignment
