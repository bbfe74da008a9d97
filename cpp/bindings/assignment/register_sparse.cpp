#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "assignment/results.hpp"
#include "bindings.hpp"
#include "python_interrupt.hpp"
#include "rebasin/sparse_assignment.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

using rebasin::DType;
using rebasin::SparseCostView;
using rebasin::SparseSolution;
using rebasin::Status;

DType dtype_of(const py::array& values) {
  if (py::isinstance<py::array_t<double>>(values)) return DType::float64;
  if (py::isinstance<py::array_t<float>>(values)) return DType::float32;
  if (py::isinstance<py::array_t<std::int64_t>>(values)) return DType::int64;
  throw py::type_error("values must be float32, float64 or int64");
}

bool is_wide(const py::array& indices) {
  if (py::isinstance<py::array_t<std::int64_t>>(indices)) return true;
  if (py::isinstance<py::array_t<std::int32_t>>(indices)) return false;
  throw py::type_error("indices must be int32 or int64");
}

SparseCostView view_of(const py::array& values, const py::array& indices, const py::array& starts,
                       std::int64_t columns, bool maximize) {
  for (const py::array* part : {&values, &indices, &starts}) {
    if (part->ndim() != 1 || (part->flags() & py::array::c_style) == 0) {
      throw py::type_error("values, indices and starts must be one-dimensional and contiguous");
    }
  }
  if (is_wide(indices) != is_wide(starts)) throw py::type_error("indices and starts must have one dtype");
  if (starts.size() == 0 || indices.size() != values.size()) {
    throw py::value_error("one column an entry and one start more than rows are needed");
  }
  return {.values = values.data(),
          .row_starts = starts.data(),
          .columns_of = indices.data(),
          .dtype = dtype_of(values),
          .wide_indices = is_wide(indices),
          .rows = starts.size() - 1,
          .columns = columns,
          .maximize = maximize};
}

ResultType result_type;

py::object solve(const py::array& values, const py::array& indices, const py::array& starts,
                 std::int64_t columns, bool maximize, bool partial) {
  const SparseCostView view = view_of(values, indices, starts, columns, maximize);
  SparseSolution solution;
  const auto wanted = partial ? rebasin::Matching::greatest : rebasin::Matching::complete;
  const Status status = run_native(false, [&](rebasin::Interrupt& interrupt) {
    return rebasin::solve_sparse_assignment(view, wanted, solution, interrupt);
  });
  raise_if_ended(status);
  const rebasin::SparseCounters& counters = solution.counters;
  return result_type(to_array(solution.columns), to_array(solution.row_duals),
                     to_array(solution.column_duals), solution.objective, solution.gap, status_name(status),
                     to_array(solution.violating_rows), to_array(solution.violating_columns),
                     counters.entries_read, counters.bids, counters.searches, counters.joint_searches,
                     counters.levels);
}

}  // namespace

void register_sparse(py::module_& m) {
  result_type = {m,
                 "SparseSolution",
                 {"columns", "row_duals", "column_duals", "objective", "gap", "status", "violating_rows",
                  "violating_columns", "entries_read", "bids", "searches", "joint_searches", "levels"}};
  m.def("sparse_assignment", &solve, py::arg("values"), py::arg("indices"), py::arg("starts"),
        py::arg("columns"), py::arg("maximize"), py::arg("partial"),
        "The SparseSolution of costs in compressed sparse rows.");
}
