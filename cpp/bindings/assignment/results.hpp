// Results as named tuples (described in _core.pyi), which take a small problem less time to build than
// instances of a pybind11 class.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <initializer_list>

#include "rebasin/assignment.hpp"

class ResultType {
 public:
  ResultType() = default;

  // Adds the type to the module.
  ResultType(pybind11::module_& m, const char* name, std::initializer_list<const char*> fields);

  // A result of as many values as the type has fields.
  template <class... Values>
  [[nodiscard]] pybind11::object operator()(const Values&... values) const {
    auto result = pybind11::reinterpret_steal<pybind11::object>(type_->tp_alloc(type_, sizeof...(values)));
    if (!result) throw pybind11::error_already_set();
    Py_ssize_t place = 0;
    (PyTuple_SET_ITEM(result.ptr(), place++, to_object(values).release().ptr()), ...);
    return result;
  }

 private:
  static pybind11::object to_object(const pybind11::object& value) { return value; }
  static pybind11::object to_object(const char* value) { return pybind11::str(value); }
  static pybind11::object to_object(bool value) { return pybind11::bool_(value); }
  static pybind11::object to_object(double value) { return pybind11::float_(value); }
  static pybind11::object to_object(std::int64_t value) { return pybind11::int_(value); }

  PyTypeObject* type_ = nullptr;  // for the life of the process: the module holds it
};

void register_solution(pybind11::module_& m);

// The solution of one problem, its fields in the order of rebasin_fast.Assignment; of one without an
// assignment columns of -1, NaN elsewhere.
pybind11::object to_solution(rebasin::Status status, rebasin::AssignmentSolution& solution, std::int64_t rows,
                             std::int64_t columns);
