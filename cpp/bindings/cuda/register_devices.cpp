#include "cuda_bindings.hpp"

namespace py = pybind11;

namespace {

py::dict describe(int device) {
  rebasin::cuda::DeviceInfo info;
  raise_unless_ok(rebasin::cuda::describe_device(device, info));
  py::dict fields;
  fields["name"] = info.name;
  fields["compute_capability"] = info.compute_capability;
  fields["multiprocessors"] = info.multiprocessors;
  fields["shared_bytes_per_block"] = info.shared_bytes_per_block;
  fields["memory_bytes"] = info.memory_bytes;
  return fields;
}

py::object device_of(std::uintptr_t pointer) {
  int device = -1;
  raise_unless_ok(rebasin::cuda::find_device(reinterpret_cast<const void*>(pointer), device));
  return device < 0 ? py::none() : py::object(py::int_(device));
}

py::dict versions() {
  py::dict fields;
  fields["runtime"] = rebasin::cuda::runtime_version();
  fields["driver"] = rebasin::cuda::driver_version();
  fields["architectures"] = REBASIN_CUDA_ARCHITECTURES;
  return fields;
}

}  // namespace

void register_devices(py::module_& m) {
  m.def("count_devices", &rebasin::cuda::count_devices, "Devices of this machine; 0 without a driver.");
  m.def("describe", &describe, py::arg("device"), "Name, compute capability and sizes of a device.");
  m.def("device_of", &device_of, py::arg("pointer"), "The device that memory lies on, or None.");
  m.def("versions", &versions, "Runtime, driver (13000 for 13.0, 0 for none), and compiled architectures.");
}
