#include "cuda_bindings.hpp"

PYBIND11_MODULE(_cuda, m) {
  register_devices(m);
  register_kernels(m);
  register_rows(m);
}
