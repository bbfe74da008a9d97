#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "cost_view.hpp"
#include "python_interrupt.hpp"
#include "rebasin/bottleneck.hpp"
#include "results.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

using rebasin::BottleneckSolution;
using rebasin::Status;

const ResultType& counters_type() {
  static const ResultType type("rebasin_fast._core.BottleneckCounters", {"thresholds", "phases"});
  return type;
}

const ResultType& result_type() {
  static const ResultType type(
      "rebasin_fast._core.BottleneckSolution",
      {"columns", "row", "column", "block_rows", "block_columns", "status", "counters"});
  return type;
}

py::object to_result(Status status, const BottleneckSolution& solution) {
  return result_type()(to_array(solution.columns), solution.row, solution.column,
                       to_array(solution.block_rows), to_array(solution.block_columns), status_name(status),
                       counters_type()(solution.counters.thresholds, solution.counters.phases));
}

py::list bottleneck(const std::vector<py::array>& costs, bool maximize, bool bfloat16, int threads) {
  const std::vector<rebasin::AnyCostView> views = cost_views(costs, maximize, bfloat16);
  std::vector<BottleneckSolution> solutions(costs.size());
  std::vector<Status> statuses(costs.size());
  const bool brief = soon_done(views, 4);
  run_native(brief, [&](rebasin::Interrupt& interrupt) {
    rebasin::bottleneck_assignment(views.data(), static_cast<std::int64_t>(views.size()), solutions.data(),
                                   statuses.data(), brief ? 1 : threads, interrupt);
  });
  raise_if_ended(statuses);
  py::list results;
  for (std::size_t p = 0; p < costs.size(); ++p) results.append(to_result(statuses[p], solutions[p]));
  return results;
}

}  // namespace

void register_bottleneck(py::module_& m) {
  counters_type().add_to(m);
  result_type().add_to(m);
  m.def("bottleneck_assignments", &bottleneck, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("threads"), "The BottleneckSolutions of a list of 2-D arrays.");
}
