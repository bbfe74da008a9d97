#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <optional>
#include <vector>

#include "arrays.hpp"
#include "assignment/cost_view.hpp"
#include "assignment/results.hpp"
#include "assignment/solve_many.hpp"
#include "assignment/warm_starts.hpp"
#include "bindings.hpp"
#include "rebasin/assignment_batch.hpp"

namespace py = pybind11;

namespace {

using rebasin::AnyCostView;
using rebasin::AssignmentSolution;
using rebasin::Status;

ResultType batch_type;

py::list solve_list(const std::vector<py::array>& costs, bool maximize, bool bfloat16,
                    const std::optional<std::vector<DualPair>>& starts, int threads) {
  const std::vector<AnyCostView> views = cost_views(costs, maximize, bfloat16);
  std::vector<rebasin::WarmStart> warm_starts;
  if (starts) {
    if (starts->size() != costs.size()) throw py::value_error("a batch needs one warm start per problem");
    for (std::size_t k = 0; k < costs.size(); ++k) {
      warm_starts.push_back(warm_start_of((*starts)[k], views[k]));
    }
  }
  return solve_many<AssignmentSolution>(
      views, false,
      [&](AssignmentSolution* solutions, Status* statuses, rebasin::Interrupt& interrupt) {
        rebasin::solve_assignments(views.data(), starts ? warm_starts.data() : nullptr, std::ssize(views),
                                   solutions, statuses, threads, interrupt);
      },
      [](Status status, AssignmentSolution& solution, const AnyCostView& view) {
        return to_solution(status, solution, view.rows, view.columns);
      });
}

py::object solve_stacked(const py::array& costs, bool maximize, bool bfloat16,
                         const std::optional<DualPair>& starts, int threads) {
  rebasin::AssignmentBatch batch;
  batch.first = cost_view(costs, maximize, bfloat16, 3);
  batch.count = costs.shape(0);
  batch.stride = costs.strides(0);
  const std::int64_t n = batch.first.rows;
  const std::int64_t m = batch.first.columns;
  if (starts) {
    if (starts->first.size() != batch.count * n || starts->second.size() != batch.count * m) {
      throw py::value_error("a batch's warm start must have its shape");
    }
    batch.start_row_duals = starts->first.data();
    batch.start_column_duals = starts->second.data();
  }
  std::int32_t* statuses = nullptr;
  const py::object columns = new_array<std::int64_t>({batch.count, n}, batch.columns);
  const py::object row_duals = new_array<double>({batch.count, n}, batch.row_duals);
  const py::object column_duals = new_array<double>({batch.count, m}, batch.column_duals);
  const py::object objectives = new_array<double>({batch.count}, batch.objectives);
  const py::object gaps = new_array<double>({batch.count}, batch.gaps);
  const py::object codes = new_array<std::int32_t>({batch.count}, statuses);
  static_assert(sizeof(Status) == sizeof(std::int32_t));
  batch.statuses = reinterpret_cast<Status*>(statuses);
  raise_if_ended(run_native(false, [&](rebasin::Interrupt& interrupt) {
    return rebasin::solve_assignment_batch(batch, threads, interrupt);
  }));
  return batch_type(columns, row_duals, column_duals, objectives, gaps, codes);
}

}  // namespace

void register_assignment_batch(py::module_& m) {
  batch_type = {
      m, "SolutionBatch", {"columns", "row_duals", "column_duals", "objectives", "gaps", "statuses"}};
  m.def("assignments", &solve_list, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("starts"), py::arg("threads"),
        "The Solutions of a list of 2-D arrays; starts is None or a list of (row_duals, column_duals).");
  m.def("assignment_batch", &solve_stacked, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("starts"), py::arg("threads"),
        "The SolutionBatch of a (k, n, m) array; starts is None or ((k, n), (k, m)) duals.");
}
