#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "bindings.hpp"
#include "python_interrupt.hpp"
#include "rebasin/assignment.hpp"
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

AnyCostView view_of(const py::array& cost, bool maximize, bool bfloat16) {
  const py::dtype dtype = cost.dtype();
  const std::optional<Element> element = bfloat16 ? Element::bfloat16 : find_element(dtype);
  if (!element || cost.ndim() != 2) throw py::type_error("expected a 2-D array of real numbers");
  const char order = dtype.byteorder();
  const bool native_little = PY_LITTLE_ENDIAN != 0;
  return {.data = cost.data(),
          .element = *element,
          .swapped_bytes = native_little ? order == '>' : order == '<',
          .rows = cost.shape(0),
          .columns = cost.shape(1),
          .row_stride = cost.strides(0),
          .column_stride = cost.strides(1),
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

void solve(const py::array& cost, bool maximize, bool bfloat16, AssignmentSolution& solution) {
  // Handing the interpreter over costs more than a problem of this size.
  constexpr py::ssize_t soon_done = 1 << 12;
  const AnyCostView view = view_of(cost, maximize, bfloat16);
  Status status = Status::ok;
  if (view.rows * view.columns < soon_done) {
    rebasin::Interrupt never;
    status = rebasin::solve_assignment(view, solution, never);
  } else {
    rebasin::Interrupt interrupt = python_interrupt();
    const GilRelease without_gil;
    status = rebasin::solve_assignment(view, solution, interrupt);
  }
  raise_unless_ok(status);
}

template <class T>
py::array_t<T> to_array(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

// (status, columns, row_duals, column_duals, objective, gap)
py::tuple to_tuple(Status status, const AssignmentSolution& solution) {
  return py::make_tuple(static_cast<int>(status), to_array(solution.columns), to_array(solution.row_duals),
                        to_array(solution.column_duals), solution.objective, solution.gap);
}

using Duals = py::array_t<double, py::array::c_style>;

rebasin::WarmStart warm_start_of(const py::handle& start, const AnyCostView& view) {
  const auto pair = start.cast<std::pair<Duals, Duals>>();
  if (pair.first.size() != view.rows || pair.second.size() != view.columns) {
    throw py::value_error("a warm start's duals must have the problem's shape");
  }
  return {.row_duals = pair.first.data(), .column_duals = pair.second.data()};
}

// Problems of a batch, one tuple each. `starts` is None or holds a (row_duals, column_duals) per problem.
py::list solve_batch(const std::vector<py::array>& costs, bool maximize, bool bfloat16,
                     const py::object& starts, int threads) {
  const auto count = static_cast<std::int64_t>(costs.size());
  std::vector<AnyCostView> views;
  for (const py::array& cost : costs) views.push_back(view_of(cost, maximize, bfloat16));
  std::vector<rebasin::WarmStart> warm_starts;
  if (!starts.is_none()) {
    std::int64_t k = 0;
    for (const py::handle start : starts) warm_starts.push_back(warm_start_of(start, views.at(k++)));
    if (k != count) throw py::value_error("a batch needs one warm start per problem");
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

// An uninitialised vector of int64; pybind11's own way there costs a tiny problem a tenth of its time.
py::object new_indices(Py_intptr_t count, std::int64_t*& data) {
  const auto& numpy = py::detail::npy_api::get();
  auto array = py::reinterpret_steal<py::object>(numpy.PyArray_NewFromDescr_(
      numpy.PyArray_Type_, numpy.PyArray_DescrFromType_(py::detail::npy_api::NPY_INT64_), 1, &count, nullptr,
      nullptr, 0, nullptr));
  if (!array) throw py::error_already_set();
  data = reinterpret_cast<std::int64_t*>(py::detail::array_proxy(array.ptr())->data);
  return array;
}

PyObject* to_indices(const AssignmentSolution& solution, py::ssize_t count) {
  std::int64_t* row = nullptr;
  std::int64_t* column = nullptr;
  const py::object rows = new_indices(count, row);
  const py::object columns = new_indices(count, column);
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

// assignment_indices(cost, maximize, bfloat16=False), or None where the cost is no two-dimensional NumPy
// array of numbers that the core reads. Without pybind11's dispatch, which would be half of a small problem's
// time.
PyObject* solve_for_indices(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (count < 2 || count > 3) {
    PyErr_SetString(PyExc_TypeError, "assignment_indices expects (array, bool[, bool])");
    return nullptr;
  }
  const int maximize = PyObject_IsTrue(arguments[1]);
  const int bfloat16 = count == 3 ? PyObject_IsTrue(arguments[2]) : 0;
  if (maximize < 0 || bfloat16 < 0) return nullptr;
  try {
    if (!is_plain_matrix(arguments[0])) Py_RETURN_NONE;
    const auto cost = py::reinterpret_borrow<py::array>(arguments[0]);
    AssignmentSolution solution;
    solve(cost, maximize != 0, bfloat16 != 0, solution);
    return to_indices(solution, std::min(cost.shape(0), cost.shape(1)));
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  return nullptr;
}

PyMethodDef fast_methods[] = {
    {"assignment_indices", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(solve_for_indices)),
     METH_FASTCALL,
     "(row_ind, col_ind) of a 2-D array of any real dtype and strides, rows sorted; None for anything else."},
    {nullptr, nullptr, 0, nullptr},
};

py::dict solve_for_counters(const py::array& cost, bool maximize, const py::object& start) {
  const AnyCostView view = view_of(cost, maximize, false);
  AssignmentSolution solution;
  rebasin::Interrupt never;
  rebasin::WarmStart warm_start;
  if (!start.is_none()) warm_start = warm_start_of(start, view);
  raise_unless_ok(rebasin::solve_assignment(view, solution, never, start.is_none() ? nullptr : &warm_start));
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
  if (PyModule_AddFunctions(m.ptr(), fast_methods) != 0) throw py::error_already_set();
  m.def("assignment_counters", &solve_for_counters, py::arg("cost"), py::arg("maximize"),
        py::arg("start") = py::none(), "Solves, and returns what the solver did as a dict; for benchmarks.");
}
