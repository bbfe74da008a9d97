#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "assignment/cost_view.hpp"
#include "assignment/results.hpp"
#include "assignment/solve_many.hpp"
#include "bindings.hpp"
#include "rebasin/bottleneck.hpp"

namespace py = pybind11;

namespace {

using rebasin::BottleneckSolution;
using rebasin::Status;

ResultType result_type;

py::object to_result(Status status, const BottleneckSolution& solution, const rebasin::AnyCostView&) {
  return result_type(to_array(solution.columns), solution.row, solution.column, to_array(solution.block_rows),
                     to_array(solution.block_columns), status_name(status), solution.counters.thresholds,
                     solution.counters.phases);
}

py::list bottleneck(const std::vector<py::array>& costs, bool maximize, bool bfloat16, int threads) {
  const std::vector<rebasin::AnyCostView> views = cost_views(costs, maximize, bfloat16);
  const bool brief = soon_done(views, 4);
  return solve_many<BottleneckSolution>(
      views, brief,
      [&](BottleneckSolution* solutions, Status* statuses, rebasin::Interrupt& interrupt) {
        rebasin::bottleneck_assignment(views.data(), std::ssize(views), solutions, statuses,
                                       brief ? 1 : threads, interrupt);
      },
      to_result);
}

}  // namespace

void register_bottleneck(py::module_& m) {
  result_type = {
      m,
      "BottleneckSolution",
      {"columns", "row", "column", "block_rows", "block_columns", "status", "thresholds", "phases"}};
  m.def("bottleneck_assignments", &bottleneck, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("threads"), "The BottleneckSolutions of a list of 2-D arrays.");
}
