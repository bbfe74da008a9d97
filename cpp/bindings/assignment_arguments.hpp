// Warm starts and results of the dense assignment functions.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <utility>

#include "arrays.hpp"
#include "rebasin/assignment.hpp"

// A warm start as it came; the arrays own its memory.
using Duals = pybind11::array_t<double, pybind11::array::c_style>;

inline std::pair<Duals, Duals> duals_of(const pybind11::handle& start) {
  return start.cast<std::pair<Duals, Duals>>();
}

inline rebasin::WarmStart warm_start_of(const Duals& row_duals, const Duals& column_duals,
                                        const rebasin::AnyCostView& view) {
  if (row_duals.size() != view.rows || column_duals.size() != view.columns) {
    throw pybind11::value_error("a warm start's duals must have the problem's shape");
  }
  return {.row_duals = row_duals.data(), .column_duals = column_duals.data()};
}

// (status, columns, row_duals, column_duals, objective, gap)
inline pybind11::tuple to_tuple(rebasin::Status status, const rebasin::AssignmentSolution& solution) {
  const auto steal = [](PyObject* number) { return pybind11::reinterpret_steal<pybind11::object>(number); };
  const pybind11::object code = steal(PyLong_FromLong(static_cast<long>(status)));
  const pybind11::object columns = to_array(solution.columns);
  const pybind11::object row_duals = to_array(solution.row_duals);
  const pybind11::object column_duals = to_array(solution.column_duals);
  const pybind11::object objective = steal(PyFloat_FromDouble(solution.objective));
  const pybind11::object gap = steal(PyFloat_FromDouble(solution.gap));
  auto fields = steal(PyTuple_Pack(6, code.ptr(), columns.ptr(), row_duals.ptr(), column_duals.ptr(),
                                   objective.ptr(), gap.ptr()));
  if (!fields) throw pybind11::error_already_set();
  return fields;
}
