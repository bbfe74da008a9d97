#include <memory>

#include "bindings.hpp"
#include "rebasin/mapping_guard.hpp"

namespace py = pybind11;

namespace {

// The guard of the memory of a buffer, which is not held: its owner calls `release` before it unmaps.
class BufferGuard {
 public:
  BufferGuard(const py::buffer& mapped, bool writable) {
    const py::buffer_info memory = mapped.request();
    const auto bytes = static_cast<std::size_t>(memory.size * memory.itemsize);
    guard_ = std::make_unique<rebasin::GuardedMapping>(memory.ptr, bytes, writable);
    begin_ = reinterpret_cast<std::uintptr_t>(memory.ptr);
  }
  std::uintptr_t begin() const { return begin_; }
  bool faulted() const { return guard_ != nullptr && guard_->faulted(); }
  void release() { guard_.reset(); }

 private:
  std::unique_ptr<rebasin::GuardedMapping> guard_;
  std::uintptr_t begin_ = 0;
};

class Watch {
 public:
  void enter() { watch_ = std::make_unique<rebasin::MappingWatch>(); }
  void exit() { watch_.reset(); }

 private:
  std::unique_ptr<rebasin::MappingWatch> watch_;
};

}  // namespace

void register_mapping_guard(py::module_& m) {
  py::class_<BufferGuard>(
      m, "GuardedMapping",
      "A mapped file that `MappingWatch` covers, until `release`, which must come before unmapping.")
      .def(py::init<const py::buffer&, bool>(), py::arg("mapped"), py::arg("writable"))
      .def_property_readonly("begin", &BufferGuard::begin, "The address of its first byte.")
      .def_property_readonly("faulted", &BufferGuard::faulted, "Whether a page of it could not be read.")
      .def("release", &BufferGuard::release);
  py::class_<Watch>(
      m, "MappingWatch",
      "Within the block, a page of a guarded mapping that cannot be read gives zeros and marks it.")
      .def(py::init<>())
      .def("__enter__", &Watch::enter)
      .def("__exit__", [](Watch& watch, const py::args&) { watch.exit(); });
  m.def("mapping_guard_available", &rebasin::mapping_guard_available,
        "Whether this system tells faults of mappings by a signal, so that a watch has an effect.");
}
