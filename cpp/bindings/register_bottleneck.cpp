#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "cost_view.hpp"
#include "python_interrupt.hpp"
#include "python_thread.hpp"
#include "rebasin/bottleneck.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

using rebasin::BottleneckSolution;
using rebasin::Status;

// (status, columns, (row, column) of the bottleneck, block_rows, block_columns, (thresholds, phases))
py::tuple to_tuple(Status status, const BottleneckSolution& solution) {
  return py::make_tuple(static_cast<int>(status), to_array(solution.columns),
                        py::make_tuple(solution.row, solution.column), to_array(solution.block_rows),
                        to_array(solution.block_columns),
                        py::make_tuple(solution.counters.thresholds, solution.counters.phases));
}

py::list bottleneck(const std::vector<py::array>& costs, bool maximize, bool bfloat16, int threads) {
  const std::vector<rebasin::AnyCostView> views = cost_views(costs, maximize, bfloat16);
  std::vector<BottleneckSolution> solutions(costs.size());
  std::vector<Status> statuses(costs.size());
  if (soon_done(views, 4)) {
    rebasin::Interrupt never;
    rebasin::bottleneck_assignment(views.data(), static_cast<std::int64_t>(views.size()), solutions.data(),
                                   statuses.data(), 1, never);
  } else {
    rebasin::Interrupt interrupt = python_interrupt();
    const GilRelease without_gil;
    rebasin::bottleneck_assignment(views.data(), static_cast<std::int64_t>(views.size()), solutions.data(),
                                   statuses.data(), threads, interrupt);
  }
  raise_if_ended(statuses);
  py::list results;
  for (std::size_t p = 0; p < costs.size(); ++p) results.append(to_tuple(statuses[p], solutions[p]));
  return results;
}

}  // namespace

void register_bottleneck(py::module_& m) {
  m.def("bottleneck_assignments", &bottleneck, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("threads"),
        "[(status, columns, (row, column), block_rows, block_columns, (thresholds, phases))] of a list of "
        "2-D arrays; status 0 is ok, 1 invalid, 2 infeasible.");
}
