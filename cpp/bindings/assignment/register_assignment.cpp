#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <new>
#include <optional>

#include "arrays.hpp"
#include "assignment/cost_view.hpp"
#include "assignment/results.hpp"
#include "assignment/warm_starts.hpp"
#include "bindings.hpp"
#include "python_interrupt.hpp"
#include "rebasin/assignment.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

using rebasin::AnyCostView;
using rebasin::AssignmentSolution;
using rebasin::Status;

ResultType counters_type;

Status solve(const AnyCostView& view, AssignmentSolution& solution,
             const rebasin::AssignmentOptions& options = {}) {
  constexpr py::ssize_t brief = 1 << 12;
  return run_native(view.rows * view.columns < brief, [&](rebasin::Interrupt& interrupt) {
    return rebasin::solve_assignment(view, solution, interrupt, options);
  });
}

PyObject* to_indices(const AssignmentSolution& solution, py::ssize_t count) {
  std::int64_t* row = nullptr;
  std::int64_t* column = nullptr;
  const py::object rows = new_array<std::int64_t>({count}, row);
  const py::object columns = new_array<std::int64_t>({count}, column);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(solution.columns.size()); ++i) {
    if (solution.columns[i] < 0) continue;
    *row++ = i;
    *column++ = solution.columns[i];
  }
  PyObject* both = PyTuple_Pack(2, rows.ptr(), columns.ptr());
  if (both == nullptr) throw py::error_already_set();
  return both;
}

// Calls `solve` with the matrix and its view and turns exceptions into Python's; None where arguments[0] is
// no two-dimensional NumPy array of numbers that the core reads. Without pybind11's dispatch, which would be
// half of a small problem's time.
template <class Solve>
PyObject* with_matrix(PyObject* const* arguments, Py_ssize_t count, Py_ssize_t most, const char* usage,
                      const Solve& solve_view) {
  if (count < 2 || count > most) {
    PyErr_SetString(PyExc_TypeError, usage);
    return nullptr;
  }
  const int maximize = PyObject_IsTrue(arguments[1]);
  const int bfloat16 = count >= 3 ? PyObject_IsTrue(arguments[2]) : 0;
  if (maximize < 0 || bfloat16 < 0) return nullptr;
  try {
    if (!py::isinstance<py::array>(arguments[0])) Py_RETURN_NONE;
    const auto cost = py::reinterpret_borrow<py::array>(arguments[0]);
    const std::optional<AnyCostView> view = find_cost_view(cost, maximize != 0, bfloat16 != 0);
    if (!view) Py_RETURN_NONE;
    return solve_view(*view);
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  return nullptr;
}

// assignment_indices(cost, maximize, bfloat16=False)
PyObject* solve_for_indices(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return with_matrix(arguments, count, 3, "assignment_indices expects (array, bool[, bool])",
                     [](const AnyCostView& view) {
                       AssignmentSolution solution;
                       const Status status = solve(view, solution);
                       if (status != Status::overflow) raise_unless_ok(status);  // pairs are no sums
                       return to_indices(solution, std::min(view.rows, view.columns));
                     });
}

// assignment(cost, maximize, bfloat16=False, start=None)
PyObject* solve_with_duals(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return with_matrix(arguments, count, 4, "assignment expects (array, bool[, bool[, (duals, duals)]])",
                     [&](const AnyCostView& view) {
                       AssignmentSolution solution;
                       Status status = Status::ok;
                       if (count < 4 || arguments[3] == Py_None) {
                         status = solve(view, solution);
                       } else {
                         const auto duals = py::handle(arguments[3]).cast<DualPair>();
                         const rebasin::WarmStart start = warm_start_of(duals, view);
                         status = solve(view, solution, {.warm_start = &start});
                       }
                       return to_solution(status, solution, view.rows, view.columns).release().ptr();
                     });
}

// The same where rows and columns may stay unmatched.
py::object solve_priced(const py::array& cost, bool maximize, bool bfloat16,
                        const std::optional<double>& cost_limit, bool partial) {
  const AnyCostView view = cost_view(cost, maximize, bfloat16);
  rebasin::AssignmentOptions options;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  options.cost_limit = cost_limit.value_or(maximize ? -infinity : infinity);
  options.partial = partial;
  AssignmentSolution solution;
  const Status status = solve(view, solution, options);
  return to_solution(status, solution, view.rows, view.columns);
}

PyMethodDef fast_methods[] = {
    {"assignment_indices", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(solve_for_indices)),
     METH_FASTCALL,
     "assignment_indices(cost, maximize, bfloat16=False, /)\n--\n\n"
     "(row_ind, col_ind) of a 2-D array of any real dtype and strides, rows sorted; None for anything else."},
    {"assignment", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(solve_with_duals)),
     METH_FASTCALL,
     "assignment(cost, maximize, bfloat16=False, start=None, /)\n--\n\n"
     "The Solution of the same; start is None or (row_duals, column_duals)."},
    {nullptr, nullptr, 0, nullptr},
};

py::object solve_for_counters(const py::array& cost, bool maximize, const std::optional<DualPair>& start) {
  const AnyCostView view = cost_view(cost, maximize, false);
  AssignmentSolution solution;
  rebasin::AssignmentOptions options;
  rebasin::WarmStart warm_start;
  if (start) {
    warm_start = warm_start_of(*start, view);
    options.warm_start = &warm_start;
  }
  raise_unless_ok(solve(view, solution, options));
  const rebasin::AssignmentCounters& counters = solution.counters;
  return counters_type(counters.entries_read, counters.bids, counters.refills, counters.augmentations,
                       counters.scanned_rows, counters.dense_searches, counters.list_bytes,
                       counters.strategy);
}

}  // namespace

void register_assignment(py::module_& m) {
  if (PyModule_AddFunctions(m.ptr(), fast_methods) != 0) throw py::error_already_set();
  register_solution(m);
  counters_type = {m,
                   "AssignmentCounters",
                   {"entries_read", "bids", "refills", "augmentations", "scanned_rows", "dense_searches",
                    "list_bytes", "strategy"}};
  m.def("priced_assignment", &solve_priced, py::arg("cost"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("cost_limit"), py::arg("partial"),
        "The Solution of a 2-D array whose rows and columns may stay unmatched: at half of cost_limit each, "
        "or, "
        "partial, as few as can be.");
  m.def("assignment_counters", &solve_for_counters, py::arg("cost"), py::arg("maximize"),
        py::arg("start") = py::none(), "The AssignmentCounters of a solve.");
}
