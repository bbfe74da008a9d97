#include "arrays.hpp"

#include <pybind11/gil_safe_call_once.h>

#include <string>

namespace py = pybind11;

namespace {

// Two entries of NumPy's C interface, at the places that its stable binary interface gives them.
struct NumpyInterface {
  using New = PyObject* (*)(PyTypeObject*, int, const Py_ssize_t*, int, const Py_ssize_t*, void*, int, int,
                            PyObject*);

  PyTypeObject* array_type;  // PyArray_Type
  New new_array;             // PyArray_New

  static NumpyInterface load() {
    const py::module_ numpy = py::module_::import("numpy");
    const bool renamed = std::stoi(numpy.attr("__version__").cast<std::string>()) >= 2;
    const py::module_ multiarray =
        py::module_::import(renamed ? "numpy._core.multiarray" : "numpy.core.multiarray");
    const auto capsule = multiarray.attr("_ARRAY_API").cast<py::capsule>();
    void* const* entries = capsule.get_pointer<void*>();
    return {static_cast<PyTypeObject*>(entries[2]), reinterpret_cast<New>(entries[93])};
  }
};

const NumpyInterface& numpy_interface() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<NumpyInterface> stored;
  return stored.call_once_and_store_result(NumpyInterface::load).get_stored();
}

}  // namespace

py::object new_array(int type_number, std::initializer_list<py::ssize_t> shape) {
  const NumpyInterface& numpy = numpy_interface();
  PyObject* array = numpy.new_array(numpy.array_type, static_cast<int>(shape.size()), shape.begin(),
                                    type_number, nullptr, nullptr, 0, 0, nullptr);
  if (array == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(array);
}
