#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "bindings.hpp"
#include "cost_view.hpp"
#include "python_interrupt.hpp"
#include "python_thread.hpp"
#include "rebasin/k_best.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

using rebasin::KBestSolution;
using rebasin::Status;

// (status, columns, objectives, gap, (nodes, searches, scanned_rows, compared))
py::tuple to_tuple(Status status, const KBestSolution& solution, std::int64_t rows) {
  const rebasin::KBestCounters& counters = solution.counters;
  const std::int64_t count = status == Status::ok ? solution.count : 0;
  py::array_t<std::int64_t> columns({count, rows});
  py::array_t<double> objectives(count);
  if (count > 0) {
    std::copy_n(solution.columns.data(), count * rows, columns.mutable_data());
    std::copy_n(solution.objectives.data(), count, objectives.mutable_data());
  }
  return py::make_tuple(
      static_cast<int>(status), columns, objectives, solution.gap,
      py::make_tuple(counters.nodes, counters.searches, counters.scanned_rows, counters.compared));
}

py::list k_best(const std::vector<py::array>& costs, bool maximize, bool bfloat16, std::int64_t k,
                double within, int threads) {
  const std::vector<rebasin::AnyCostView> views = cost_views(costs, maximize, bfloat16);
  std::vector<KBestSolution> solutions(costs.size());
  std::vector<Status> statuses(costs.size());
  if (soon_done(views, 4 * std::min<std::int64_t>(k, 1 << 12))) {
    rebasin::Interrupt never;
    rebasin::k_best_assignments(views.data(), static_cast<std::int64_t>(views.size()),
                                {.k = k, .within = within}, solutions.data(), statuses.data(), 1, never);
  } else {
    rebasin::Interrupt interrupt = python_interrupt();
    const GilRelease without_gil;
    rebasin::k_best_assignments(views.data(), static_cast<std::int64_t>(views.size()),
                                {.k = k, .within = within}, solutions.data(), statuses.data(), threads,
                                interrupt);
  }
  raise_if_ended(statuses);
  py::list results;
  for (std::size_t p = 0; p < costs.size(); ++p) {
    results.append(to_tuple(statuses[p], solutions[p], views[p].rows));
  }
  return results;
}

}  // namespace

void register_k_best(py::module_& m) {
  m.def("k_best_assignments", &k_best, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("k"), py::arg("within"), py::arg("threads"),
        "[(status, columns, objectives, gap, (nodes, searches, scanned_rows, compared))] of a list of 2-D "
        "arrays; status 0 is ok, 1 invalid, 2 infeasible.");
}
