#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
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

py::dict to_dict(const rebasin::SparseCounters& counters) {
  py::dict result;
  result["entries_read"] = counters.entries_read;
  result["bids"] = counters.bids;
  result["searches"] = counters.searches;
  result["joint_searches"] = counters.joint_searches;
  result["levels"] = counters.levels;
  return result;
}

py::tuple solve(const py::array& values, const py::array& indices, const py::array& starts,
                std::int64_t columns, bool maximize, bool partial) {
  const SparseCostView view = view_of(values, indices, starts, columns, maximize);
  SparseSolution solution;
  Status status = Status::ok;
  {
    rebasin::Interrupt interrupt = python_interrupt();
    const GilRelease without_gil;
    status = rebasin::solve_sparse_assignment(
        view, partial ? rebasin::Matching::greatest : rebasin::Matching::complete, solution, interrupt);
  }
  raise_if_ended(status);
  return py::make_tuple(static_cast<int>(status), to_array(solution.columns), to_array(solution.row_duals),
                        to_array(solution.column_duals), solution.objective, solution.gap,
                        to_array(solution.violating_rows), to_array(solution.violating_columns),
                        to_dict(solution.counters));
}

}  // namespace

void register_sparse(py::module_& m) {
  m.def("sparse_assignment", &solve, py::arg("values"), py::arg("indices"), py::arg("starts"),
        py::arg("columns"), py::arg("maximize"), py::arg("partial"),
        "(status, columns, row_duals, column_duals, objective, gap, violating_rows, violating_columns, "
        "counters) of costs in compressed sparse rows; status 0 is optimal, 1 invalid, 2 infeasible.");
}
