#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

#include "bindings.hpp"
#include "python_interrupt.hpp"
#include "rebasin/assignment.hpp"
#include "rebasin/assignment_batch.hpp"
#include "rebasin/simd.hpp"

namespace py = pybind11;

namespace {

using rebasin::AnyCostView;
using rebasin::AssignmentSolution;
using rebasin::Element;
using rebasin::Status;

std::optional<Element> find_element(const py::dtype& dtype) {
  const auto size = dtype.itemsize();
  const auto pick = [size](Element one, Element two, Element four, Element eight) {
    return size == 1 ? one : size == 2 ? two : size == 4 ? four : eight;
  };
  switch (dtype.kind()) {
    case 'b':
      return Element::uint8;
    case 'i':
      return pick(Element::int8, Element::int16, Element::int32, Element::int64);
    case 'u':
      return pick(Element::uint8, Element::uint16, Element::uint32, Element::uint64);
    case 'f':
      if (size == 2 || size == 4 || size == 8) {
        return pick(Element::float16, Element::float16, Element::float32, Element::float64);
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// The matrix of the last two axes, of which there are `axes` in all.
AnyCostView view_of(const py::array& cost, bool maximize, bool bfloat16, py::ssize_t axes = 2) {
  const py::dtype dtype = cost.dtype();
  const std::optional<Element> element = bfloat16 ? Element::bfloat16 : find_element(dtype);
  if (!element || cost.ndim() != axes) {
    throw py::type_error("expected a " + std::to_string(axes) + "-D array of real numbers");
  }
  const char order = dtype.byteorder();
  const bool native_little = PY_LITTLE_ENDIAN != 0;
  return {.data = cost.data(),
          .element = *element,
          .swapped_bytes = native_little ? order == '>' : order == '<',
          .rows = cost.shape(axes - 2),
          .columns = cost.shape(axes - 1),
          .row_stride = cost.strides(axes - 2),
          .column_stride = cost.strides(axes - 1),
          .maximize = maximize};
}

// The one place where the core's statuses become exceptions; the messages are SciPy's.
void raise_unless_ok(Status status) {
  switch (status) {
    case Status::ok:
      return;
    case Status::invalid_entry:
      throw py::value_error("matrix contains invalid numeric entries");
    case Status::infeasible:
      throw py::value_error("cost matrix is infeasible");
    case Status::interrupted:
      throw py::error_already_set();
    case Status::out_of_memory:
      throw std::bad_alloc();
  }
}

Status solve(const AnyCostView& view, AssignmentSolution& solution,
             const rebasin::AssignmentOptions& options = {}) {
  // Handing the interpreter over costs more than a problem of this size.
  constexpr py::ssize_t soon_done = 1 << 12;
  if (view.rows * view.columns < soon_done) {
    rebasin::Interrupt never;
    return rebasin::solve_assignment(view, solution, never, options);
  }
  rebasin::Interrupt interrupt = python_interrupt();
  const GilRelease without_gil;
  return rebasin::solve_assignment(view, solution, interrupt, options);
}

// An uninitialised array; pybind11's own way there costs a tiny problem a tenth of its time.
template <class T>
py::object new_array(std::initializer_list<py::ssize_t> shape, T*& data) {
  const auto& numpy = py::detail::npy_api::get();
  constexpr int type = std::is_same_v<T, double>         ? py::detail::npy_api::NPY_DOUBLE_
                       : std::is_same_v<T, std::int64_t> ? py::detail::npy_api::NPY_INT64_
                                                         : py::detail::npy_api::NPY_INT32_;
  auto array = py::reinterpret_steal<py::object>(numpy.PyArray_NewFromDescr_(
      numpy.PyArray_Type_, numpy.PyArray_DescrFromType_(type), static_cast<int>(shape.size()),
      reinterpret_cast<const Py_intptr_t*>(shape.begin()), nullptr, nullptr, 0, nullptr));
  if (!array) throw py::error_already_set();
  data = reinterpret_cast<T*>(py::detail::array_proxy(array.ptr())->data);
  return array;
}

template <class T>
py::object to_array(const std::vector<T>& values) {
  T* data = nullptr;
  py::object array = new_array<T>({static_cast<py::ssize_t>(values.size())}, data);
  std::copy(values.begin(), values.end(), data);
  return array;
}

// (status, columns, row_duals, column_duals, objective, gap)
py::tuple to_tuple(Status status, const AssignmentSolution& solution) {
  const auto steal = [](PyObject* number) { return py::reinterpret_steal<py::object>(number); };
  const py::object code = steal(PyLong_FromLong(static_cast<long>(status)));
  const py::object columns = to_array(solution.columns);
  const py::object row_duals = to_array(solution.row_duals);
  const py::object column_duals = to_array(solution.column_duals);
  const py::object objective = steal(PyFloat_FromDouble(solution.objective));
  const py::object gap = steal(PyFloat_FromDouble(solution.gap));
  auto fields = steal(PyTuple_Pack(6, code.ptr(), columns.ptr(), row_duals.ptr(), column_duals.ptr(),
                                   objective.ptr(), gap.ptr()));
  if (!fields) throw py::error_already_set();
  return fields;
}

using Duals = py::array_t<double, py::array::c_style>;

// The arrays own the memory of a warm start.
std::pair<Duals, Duals> duals_of(const py::handle& start) {
  return start.cast<std::pair<Duals, Duals>>();
}

rebasin::WarmStart warm_start_of(const Duals& row_duals, const Duals& column_duals, const AnyCostView& view) {
  if (row_duals.size() != view.rows || column_duals.size() != view.columns) {
    throw py::value_error("a warm start's duals must have the problem's shape");
  }
  return {.row_duals = row_duals.data(), .column_duals = column_duals.data()};
}

// Problems of a batch, one tuple each. `starts` is None or holds a (row_duals, column_duals) per problem.
py::list solve_batch(const std::vector<py::array>& costs, bool maximize, bool bfloat16,
                     const py::object& starts, int threads) {
  const auto count = static_cast<std::int64_t>(costs.size());
  std::vector<AnyCostView> views;
  for (const py::array& cost : costs) views.push_back(view_of(cost, maximize, bfloat16));
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
  py::list results;
  for (std::int64_t k = 0; k < count; ++k) {
    if (statuses[k] == Status::interrupted || statuses[k] == Status::out_of_memory)
      raise_unless_ok(statuses[k]);
    results.append(to_tuple(statuses[k], solutions[k]));
  }
  return results;
}

// (columns, row_duals, column_duals, objectives, gaps, statuses) of a (k, n, m) array, stacked; starts is
// None or the duals of all problems, (k, n) and (k, m).
py::tuple solve_stacked(const py::array& costs, bool maximize, bool bfloat16, const py::object& starts,
                        int threads) {
  rebasin::AssignmentBatch batch;
  batch.first = view_of(costs, maximize, bfloat16, 3);
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

bool is_plain_matrix(PyObject* object) {
  if (!py::isinstance<py::array>(object)) return false;
  const auto* array = py::detail::array_proxy(object);
  if (array->nd != 2) return false;
  return find_element(py::reinterpret_borrow<py::dtype>(array->descr)).has_value();
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
    if (!is_plain_matrix(arguments[0])) Py_RETURN_NONE;
    const auto cost = py::reinterpret_borrow<py::array>(arguments[0]);
    return solve_view(view_of(cost, maximize != 0, bfloat16 != 0));
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
                       raise_unless_ok(solve(view, solution));
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
                         const auto [row_duals, column_duals] = duals_of(arguments[3]);
                         const rebasin::WarmStart start = warm_start_of(row_duals, column_duals, view);
                         status = solve(view, solution, {.warm_start = &start});
                       }
                       if (status != Status::invalid_entry && status != Status::infeasible) {
                         raise_unless_ok(status);
                       }
                       return to_tuple(status, solution).release().ptr();
                     });
}

// The same where rows and columns may stay unmatched.
py::tuple solve_priced(const py::array& cost, bool maximize, bool bfloat16,
                       const std::optional<double>& cost_limit, bool partial) {
  const AnyCostView view = view_of(cost, maximize, bfloat16);
  rebasin::AssignmentOptions options;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  options.cost_limit = cost_limit.value_or(maximize ? -infinity : infinity);
  options.partial = partial;
  AssignmentSolution solution;
  const Status status = solve(view, solution, options);
  if (status != Status::invalid_entry && status != Status::infeasible) raise_unless_ok(status);
  return to_tuple(status, solution);
}

PyMethodDef fast_methods[] = {
    {"assignment_indices", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(solve_for_indices)),
     METH_FASTCALL,
     "(row_ind, col_ind) of a 2-D array of any real dtype and strides, rows sorted; None for anything else."},
    {"assignment", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(solve_with_duals)),
     METH_FASTCALL,
     "(status, columns, row_duals, column_duals, objective, gap) of the same; status 0 is optimal, 1 "
     "invalid, 2 "
     "infeasible. start is None or (row_duals, column_duals)."},
    {nullptr, nullptr, 0, nullptr},
};

py::dict solve_for_counters(const py::array& cost, bool maximize, const py::object& start) {
  const AnyCostView view = view_of(cost, maximize, false);
  AssignmentSolution solution;
  rebasin::Interrupt never;
  rebasin::WarmStart warm_start;
  std::pair<Duals, Duals> duals;
  if (!start.is_none()) {
    duals = duals_of(start);
    warm_start = warm_start_of(duals.first, duals.second, view);
  }
  raise_unless_ok(rebasin::solve_assignment(view, solution, never,
                                            {.warm_start = start.is_none() ? nullptr : &warm_start}));
  const rebasin::AssignmentCounters& counters = solution.counters;
  py::dict result;
  result["entries_read"] = counters.entries_read;
  result["bids"] = counters.bids;
  result["refills"] = counters.refills;
  result["augmentations"] = counters.augmentations;
  result["scanned_rows"] = counters.scanned_rows;
  result["dense_searches"] = counters.dense_searches;
  result["list_bytes"] = counters.list_bytes;
  result["dense_solver"] = counters.dense_solver;
  return result;
}

// A misspelt level must not silently measure another.
void check_wanted_level() {
  const char* wanted = std::getenv("REBASIN_FAST_SIMD");
  if (wanted == nullptr || *wanted == '\0' || rebasin::simd_level() == wanted) return;
  std::string message =
      "REBASIN_FAST_SIMD=" + std::string(wanted) + " names no level of this machine; it runs:";
  for (const std::string& level : rebasin::simd_levels()) message += " " + level;
  throw py::import_error(message);
}

}  // namespace

void register_assignment(py::module_& m) {
  check_wanted_level();
  m.def("simd_level", [] { return rebasin::simd_level(); }, "The instruction-set level in use.");
  m.def(
      "simd_levels", [] { return rebasin::simd_levels(); }, "The levels that this machine runs, best first.");
  m.def("assignments", &solve_batch, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("starts"), py::arg("threads"),
        "[(status, columns, row_duals, column_duals, objective, gap)] of a list of 2-D arrays; status 0 is "
        "optimal, 1 "
        "invalid, 2 infeasible. starts is None or a list of (row_duals, column_duals).");
  m.def("assignment_batch", &solve_stacked, py::arg("costs"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("starts"), py::arg("threads"),
        "(columns, row_duals, column_duals, objectives, gaps, statuses) of a (k, n, m) array, one row a "
        "problem; starts is None or ((k, n), (k, m)) duals.");
  if (PyModule_AddFunctions(m.ptr(), fast_methods) != 0) throw py::error_already_set();
  m.def("priced_assignment", &solve_priced, py::arg("cost"), py::arg("maximize"), py::arg("bfloat16"),
        py::arg("cost_limit"), py::arg("partial"),
        "(status, columns, row_duals, column_duals, objective, gap) of a 2-D array whose rows and columns may "
        "stay unmatched: at half of cost_limit each, or, partial, as few as can be.");
  m.def("assignment_counters", &solve_for_counters, py::arg("cost"), py::arg("maximize"),
        py::arg("start") = py::none(), "Solves, and returns what the solver did as a dict; for benchmarks.");
}
