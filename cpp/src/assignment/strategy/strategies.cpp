#include "assignment/strategy/strategies.hpp"

#include "assignment/strategy/dense_strategies.hpp"
#include "assignment/strategy/list_strategies.hpp"
#include "assignment/strategy/suits.hpp"
#include "assignment/strategy/traits.hpp"
#include "assignment/strategy/tuning.hpp"

namespace rebasin::assignment {
namespace {

template <class T>
struct Strategy {
  const char* name;  // as the counters and README.md give it
  bool (*suits)(Task<T>&);
  Attempt (*run)(Task<T>&, Answer&);
};

template <class T>
constexpr Strategy<T> strategies[] = {
    {"warm start", [](Task<T>& task) { return task.warm_start != nullptr && fits_lists(task); },
     solve_from_warm_start<T>},
    {"aligned rows", [](Task<T>& task) { return task.best_entries.apart; }, match_aligned_rows<T>},
    {"ties", [](Task<T>& task) { return decided_by_ties(task) && fits_lists(task); }, match_tied_entries<T>},
    {"filler", [](Task<T>& task) { return !is_priced(task) && has_filler(task); },
     [](Task<T>& task, Answer& answer) { return start_from_zero(task, answer, {}); }},
    {"constant parts", [](Task<T>& task) { return is_square(task) && has_constant_parts(task); },
     solve_constant_parts<T>},
    {"row minima", [](Task<T>& task) { return may_have_own_minima(task); },
     [](Task<T>& task, Answer& answer) {
       return start_from_zero(task, answer,
                              {.most_free_rows = tuning::free_rows_after_minima, .until_conflicts = true});
     }},
    {"padded to a square",
     [](Task<T>& task) {
       return is_nearly_square(task) && (task.traits.smooth || task.traits.columns_differ) &&
              !has_heavy_rows(task);
     },
     solve_padded<T>},
    {"leading entries", [](Task<T>& task) { return task.best_entries.lead && !task.rows_differ(); },
     [](Task<T>& task, Answer& answer) {
       return start_from_zero(task, answer, {.most_free_rows = tuning::free_rows_after_minima});
     }},
    {"small", [](Task<T>& task) { return is_small(task) && !has_heavy_rows(task); },
     [](Task<T>& task, Answer& answer) { return start_dense(task, answer, 1.0); }},
    {"smooth", [](Task<T>& task) { return is_square(task) && task.traits.smooth && !has_heavy_rows(task); },
     [](Task<T>& task, Answer& answer) { return start_dense(task, answer, 1.0); }},
    {"tied", [](Task<T>& task) { return is_square(task) && task.traits.tied; },
     [](Task<T>& task, Answer& answer) { return start_dense(task, answer, tuning::many_free_rows); }},
    {"fairly small", [](Task<T>& task) { return is_fairly_small(task) && !has_heavy_rows(task); },
     [](Task<T>& task, Answer& answer) { return start_dense(task, answer, tuning::few_free_rows); }},
    {"lists", [](Task<T>& task) { return fits_lists(task); },
     [](Task<T>& task, Answer& answer) { return solve_by_budgeted_lists(task, answer, 1.0); }},
    {"many rows", [](Task<T>& task) { return deserves_lists_again(task); },
     [](Task<T>& task, Answer& answer) { return start_dense(task, answer, tuning::many_free_rows); }},
    {"lists again", [](Task<T>& task) { return deserves_lists_again(task); },
     [](Task<T>& task, Answer& answer) {
       return solve_by_budgeted_lists(task, answer, tuning::second_share);
     }},
    {"whole rows", [](Task<T>&) { return true; },
     [](Task<T>& task, Answer& answer) { return start_dense(task, answer, 1.0); }},
};

template <class T>
bool samples_best_entries(const Task<T>& task) {
  return is_square(task) && fits_lists(task) && !is_small(task) && !decided_by_ties(task) &&
         !has_filler(task) && !has_constant_parts(task);
}

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
  task.counters.strategy = "too few rows to sample";
  if (task.costs.rows() == 1 && !is_priced(task)) return match_single_row(task, answer);
  if (task.costs.rows() <= tuning::too_few_rows_to_sample) return start_dense(task, answer, 1.0);
  task.traits = sample_traits(task.costs);
  if (samples_best_entries(task)) task.best_entries = sample_best_entries(task.fresh_lists());
  for (const Strategy<T>& strategy : strategies<T>) {
    if (!strategy.suits(task)) continue;
    task.counters.strategy = strategy.name;
    const Attempt attempt = strategy.run(task, answer);
    if (attempt != Attempt::declined && attempt != Attempt::out_of_budget) return attempt;
    answer = {};
  }
  return Attempt::declined;
}

template Attempt solve_by_strategies<float>(Task<float>&, Answer&);
template Attempt solve_by_strategies<double>(Task<double>&, Answer&);

}  // namespace rebasin::assignment
