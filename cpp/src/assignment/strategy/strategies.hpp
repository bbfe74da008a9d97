// The strategies of the assignment solver, tried in order.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "assignment/attempt.hpp"
#include "assignment/costs/cost_rows.hpp"
#include "assignment/dense/dense_solver.hpp"
#include "assignment/lists/list_state.hpp"
#include "assignment/lists/start/start.hpp"
#include "assignment/matching_state.hpp"
#include "assignment/proof/certificate.hpp"
#include "assignment/strategy/traits.hpp"

namespace rebasin::assignment {

// The input of every strategy.
template <class T>
struct Task {
  const CostRows<T>& costs;
  const WarmStart* warm_start;
  double unmatched_price;  // a row may stay without a column at it; +inf: every row needs one
  Traits traits;
  AssignmentCounters& counters;
  Interrupt& interrupt;
  BestEntries best_entries = {};
  std::optional<bool> sampled_rows_differ = {};
  std::unique_ptr<ListState<T>> lists = nullptr;  // made by the first strategy that uses lists

  ListState<T>& fresh_lists();

  // Sampled at the first call: few strategies need it.
  bool rows_differ();
};

// A complete matching with its proof.
struct Answer {
  MatchingState matching;
  Certificate proof;
  std::vector<double> pair_cost;  // per row: its assigned entry; empty where it has to be read
};

// Tries the strategies in turn. solved, infeasible, invalid or interrupted.
template <class T>
Attempt solve_by_strategies(Task<T>& task, Answer& answer);

}  // namespace rebasin::assignment
