#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "arrays.hpp"
#include "bindings.hpp"
#include "cost_view.hpp"
#include "python_interrupt.hpp"
#include "rebasin/k_best.hpp"
#include "results.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

using rebasin::KBestSolution;
using rebasin::Status;

const ResultType& counters_type() {
  static const ResultType type("rebasin_fast._core.KBestCounters",
                               {"nodes", "searches", "scanned_rows", "compared"});
  return type;
}

const ResultType& result_type() {
  static const ResultType type("rebasin_fast._core.KBestSolution",
                               {"columns", "objectives", "gap", "status", "counters"});
  return type;
}

py::object to_result(Status status, const KBestSolution& solution, std::int64_t rows) {
  const std::int64_t count = status == Status::ok ? solution.count : 0;
  std::int64_t* chosen = nullptr;
  double* totals = nullptr;
  const py::object columns = new_array<std::int64_t>({count, rows}, chosen);
  const py::object objectives = new_array<double>({count}, totals);
  std::copy_n(solution.columns.begin(), count * rows, chosen);
  std::copy_n(solution.objectives.begin(), count, totals);
  const rebasin::KBestCounters& counters = solution.counters;
  return result_type()(
      columns, objectives, solution.gap, status_name(status),
      counters_type()(counters.nodes, counters.searches, counters.scanned_rows, counters.compared));
}

py::list k_best(const std::vector<py::array>& costs, bool maximize, bool bfloat16, std::int64_t k,
                double within, int threads) {
  const std::vector<rebasin::AnyCostView> views = cost_views(costs, maximize, bfloat16);
  std::vector<KBestSolution> solutions(costs.size());
  std::vector<Status> statuses(costs.size());
  const bool brief = soon_done(views, 4 * std::min<std::int64_t>(k, 1 << 12));
  run_native(brief, [&](rebasin::Interrupt& interrupt) {
    rebasin::k_best_assignments(views.data(), static_cast<std::int64_t>(views.size()),
                                {.k = k, .within = within}, solutions.data(), statuses.data(),
                                brief ? 1 : threads, interrupt);
  });
  raise_if_ended(statuses);
  py::list results;
  for (std::size_t p = 0; p < costs.size(); ++p) {
    results.append(to_result(statuses[p], solutions[p], views[p].rows));
  }
  return results;
}

}  // namespace

void register_k_best(py::module_& m) {
  counters_type().add_to(m);
  result_type().add_to(m);
  m.def("k_best_assignments", &k_best, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("k"), py::arg("within"), py::arg("threads"), "The KBestSolutions of a list of 2-D arrays.");
}
