// The core's statuses as exceptions and as names: the one place of this border.
#pragma once

#include <pybind11/pybind11.h>

#include <new>

#include "rebasin/status.hpp"

// Throws for the end of a whole call: no memory, or an interrupt, whose exception is set unless a StopFlag
// gave it.
inline void raise_if_ended(rebasin::Status status) {
  if (status == rebasin::Status::interrupted) {
    if (PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw pybind11::error_already_set();
  }
  if (status == rebasin::Status::out_of_memory) throw std::bad_alloc();
}

// The same, and for a matrix without an answer; the messages are SciPy's.
inline void raise_unless_ok(rebasin::Status status) {
  raise_if_ended(status);
  if (status == rebasin::Status::invalid_entry) {
    throw pybind11::value_error("matrix contains invalid numeric entries");
  }
  if (status == rebasin::Status::overflow) {
    PyErr_SetString(PyExc_OverflowError, "the total or the duals lie beyond float64");
    throw pybind11::error_already_set();
  }
  if (status == rebasin::Status::infeasible) throw pybind11::value_error("cost matrix is infeasible");
}

// "optimal", "invalid", "infeasible" or "overflow".
inline pybind11::object status_name(rebasin::Status status) {
  static PyObject* const names[] = {
      PyUnicode_InternFromString("optimal"), PyUnicode_InternFromString("invalid"),
      PyUnicode_InternFromString("infeasible"), PyUnicode_InternFromString("overflow")};
  return pybind11::reinterpret_borrow<pybind11::object>(names[static_cast<int>(status)]);
}
