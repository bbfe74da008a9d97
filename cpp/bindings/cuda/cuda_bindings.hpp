// The module of device entries: pointers, shapes and streams as integers; arrays are handled by
// python/rebasin_fast/assignment/device/ alone.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <stdexcept>

#include "rebasin/cuda.hpp"

void register_devices(pybind11::module_& m);
void register_kernels(pybind11::module_& m);
void register_rows(pybind11::module_& m);

// The one place where CUDA's errors become exceptions.
inline void raise_unless_ok(rebasin::cuda::Error error) {
  if (error == 0) return;
  const std::string text = rebasin::cuda::describe_error(error);
  if (rebasin::cuda::is_out_of_memory(error)) {
    PyErr_SetString(PyExc_MemoryError, text.c_str());
    throw pybind11::error_already_set();
  }
  throw std::runtime_error(text);
}

// Makes a device current, and the one before it again.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    raise_unless_ok(rebasin::cuda::current_device(before_));
    if (device != before_) raise_unless_ok(rebasin::cuda::select_device(device));
  }
  ~DeviceGuard() { rebasin::cuda::select_device(before_); }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_ = 0;
};
