// Problems that are solved in one call, each with its own status.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

#include "python_interrupt.hpp"
#include "rebasin/assignment.hpp"
#include "statuses.hpp"

// Calls `solve` with arrays of solutions and statuses and an interrupt, and lists the results. See run_native
// for `brief`.
template <class Solution, class Solve, class ToResult>
pybind11::list solve_many(const std::vector<rebasin::AnyCostView>& views, bool brief, const Solve& solve,
                          const ToResult& to_result) {
  std::vector<Solution> solutions(views.size());
  std::vector<rebasin::Status> statuses(views.size());
  run_native(brief,
             [&](rebasin::Interrupt& interrupt) { solve(solutions.data(), statuses.data(), interrupt); });
  for (const rebasin::Status status : statuses) raise_if_ended(status);
  pybind11::list results;
  rebasin::WorkCount work;
  for (std::size_t k = 0; k < views.size(); ++k) {
    hear_signals(work);
    results.append(to_result(statuses[k], solutions[k], views[k]));
  }
  return results;
}
