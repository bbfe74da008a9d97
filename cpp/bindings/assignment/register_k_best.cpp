#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "arrays.hpp"
#include "assignment/cost_view.hpp"
#include "assignment/results.hpp"
#include "assignment/solve_many.hpp"
#include "bindings.hpp"
#include "rebasin/k_best.hpp"

namespace py = pybind11;

namespace {

using rebasin::KBestSolution;
using rebasin::Status;

ResultType result_type;

py::object to_result(Status status, const KBestSolution& solution, const rebasin::AnyCostView& view) {
  const std::int64_t count = status == Status::ok ? solution.count : 0;
  std::int64_t* chosen = nullptr;
  double* totals = nullptr;
  const py::object columns = new_array<std::int64_t>({count, view.rows}, chosen);
  const py::object objectives = new_array<double>({count}, totals);
  std::copy_n(solution.columns.begin(), count * view.rows, chosen);
  std::copy_n(solution.objectives.begin(), count, totals);
  const rebasin::KBestCounters& counters = solution.counters;
  return result_type(columns, objectives, solution.gap, status_name(status), counters.nodes,
                     counters.searches, counters.scanned_rows, counters.compared);
}

py::list k_best(const std::vector<py::array>& costs, bool maximize, bool bfloat16, std::int64_t k,
                double within, int threads) {
  const std::vector<rebasin::AnyCostView> views = cost_views(costs, maximize, bfloat16);
  const bool brief = soon_done(views, 4 * std::min<std::int64_t>(k, 1 << 12));
  return solve_many<KBestSolution>(
      views, brief,
      [&](KBestSolution* solutions, Status* statuses, rebasin::Interrupt& interrupt) {
        rebasin::k_best_assignments(views.data(), std::ssize(views), {.k = k, .within = within}, solutions,
                                    statuses, brief ? 1 : threads, interrupt);
      },
      to_result);
}

}  // namespace

void register_k_best(py::module_& m) {
  result_type = {m,
                 "KBestSolution",
                 {"columns", "objectives", "gap", "status", "nodes", "searches", "scanned_rows", "compared"}};
  m.def("k_best_assignments", &k_best, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("k"), py::arg("within"), py::arg("threads"), "The KBestSolutions of a list of 2-D arrays.");
}
