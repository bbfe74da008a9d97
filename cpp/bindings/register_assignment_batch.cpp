#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <utility>
#include <vector>

#include "assignment_arguments.hpp"
#include "bindings.hpp"
#include "cost_view.hpp"
#include "python_interrupt.hpp"
#include "rebasin/assignment_batch.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

using rebasin::AnyCostView;
using rebasin::AssignmentSolution;
using rebasin::Status;

// Problems of a batch, one tuple each. `starts` is None or holds a (row_duals, column_duals) per problem.
py::list solve_batch(const std::vector<py::array>& costs, bool maximize, bool bfloat16,
                     const py::object& starts, int threads) {
  const auto count = static_cast<std::int64_t>(costs.size());
  const std::vector<AnyCostView> views = cost_views(costs, maximize, bfloat16);
  std::vector<std::pair<Duals, Duals>> duals;
  std::vector<rebasin::WarmStart> warm_starts;
  if (!starts.is_none()) {
    for (const py::handle start : starts) duals.push_back(duals_of(start));
    if (duals.size() != costs.size()) throw py::value_error("a batch needs one warm start per problem");
    for (std::size_t k = 0; k < duals.size(); ++k) {
      warm_starts.push_back(warm_start_of(duals[k].first, duals[k].second, views[k]));
    }
  }
  std::vector<AssignmentSolution> solutions(costs.size());
  std::vector<Status> statuses(costs.size());
  {
    rebasin::Interrupt interrupt = python_interrupt();
    const GilRelease without_gil;
    rebasin::solve_assignments(views.data(), warm_starts.empty() ? nullptr : warm_starts.data(), count,
                               solutions.data(), statuses.data(), threads, interrupt);
  }
  raise_if_ended(statuses);
  py::list results;
  for (std::int64_t k = 0; k < count; ++k) {
    results.append(to_tuple(statuses[k], solutions[k]));
  }
  return results;
}

// (columns, row_duals, column_duals, objectives, gaps, statuses) of a (k, n, m) array, stacked; starts is
// None or the duals of all problems, (k, n) and (k, m).
py::tuple solve_stacked(const py::array& costs, bool maximize, bool bfloat16, const py::object& starts,
                        int threads) {
  rebasin::AssignmentBatch batch;
  batch.first = cost_view(costs, maximize, bfloat16, 3);
  batch.count = costs.shape(0);
  batch.stride = costs.strides(0);
  const std::int64_t n = batch.first.rows;
  const std::int64_t m = batch.first.columns;
  std::pair<Duals, Duals> duals;
  if (!starts.is_none()) {
    duals = duals_of(starts);
    if (duals.first.size() != batch.count * n || duals.second.size() != batch.count * m) {
      throw py::value_error("a batch's warm start must have its shape");
    }
    batch.start_row_duals = duals.first.data();
    batch.start_column_duals = duals.second.data();
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
  Status status = Status::ok;
  {
    rebasin::Interrupt interrupt = python_interrupt();
    const GilRelease without_gil;
    status = rebasin::solve_assignment_batch(batch, threads, interrupt);
  }
  raise_unless_ok(status);
  return py::make_tuple(columns, row_duals, column_duals, objectives, gaps, codes);
}

}  // namespace

void register_assignment_batch(py::module_& m) {
  m.def("assignments", &solve_batch, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("starts"), py::arg("threads"),
        "[(status, columns, row_duals, column_duals, objective, gap)] of a list of 2-D arrays; status 0 is "
        "optimal, 1 "
        "invalid, 2 infeasible. starts is None or a list of (row_duals, column_duals).");
  m.def("assignment_batch", &solve_stacked, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("starts"), py::arg("threads"),
        "(columns, row_duals, column_duals, objectives, gaps, statuses) of a (k, n, m) array, one row a "
        "problem; starts is None or ((k, n), (k, m)) duals.");
}
