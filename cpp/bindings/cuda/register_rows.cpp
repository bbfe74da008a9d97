#include "cuda_bindings.hpp"

namespace py = pybind11;

namespace {

// A device matrix with contiguous rows, for the host's solver to fetch from; the array must outlive it.
class RowFetcher {
 public:
  RowFetcher(std::uintptr_t pointer, bool float64, std::int64_t columns, std::int64_t row_stride, bool negate,
             int device, std::uintptr_t stream)
      : data_(reinterpret_cast<const char*>(pointer)),
        entry_bytes_(float64 ? 8 : 4),
        columns_(columns),
        row_stride_(row_stride),
        negate_(negate),
        device_(device),
        stream_(reinterpret_cast<void*>(stream)) {}

  static bool fetch(void* context, std::int64_t row, void* out) {
    const auto& self = *static_cast<RowFetcher*>(context);
    int before = 0;
    if (rebasin::cuda::current_device(before) != 0) return false;
    if (rebasin::cuda::select_device(self.device_) != 0) return false;
    const char* source = self.data_ + row * self.row_stride_ * self.entry_bytes_;
    const bool copied =
        rebasin::cuda::fetch(source, out, self.columns_ * self.entry_bytes_, self.stream_) == 0;
    if (rebasin::cuda::select_device(before) != 0 || !copied) return false;
    if (!self.negate_) return true;
    if (self.entry_bytes_ == 8) {
      negate(static_cast<double*>(out), self.columns_);
    } else {
      negate(static_cast<float*>(out), self.columns_);
    }
    return true;
  }

  static std::uintptr_t function() { return reinterpret_cast<std::uintptr_t>(&RowFetcher::fetch); }
  std::uintptr_t context() { return reinterpret_cast<std::uintptr_t>(this); }

 private:
  template <class T>
  static void negate(T* entries, std::int64_t count) {
    for (std::int64_t j = 0; j < count; ++j) entries[j] = -entries[j];
  }

  const char* data_;
  std::int64_t entry_bytes_;
  std::int64_t columns_;
  std::int64_t row_stride_;
  bool negate_;
  int device_;
  void* stream_;
};

}  // namespace

void register_rows(py::module_& m) {
  py::class_<RowFetcher>(m, "RowFetcher", "Rows of a device matrix, for rebasin_fast._core.solve_from_lists.")
      .def(py::init<std::uintptr_t, bool, std::int64_t, std::int64_t, bool, int, std::uintptr_t>(),
           py::arg("pointer"), py::arg("float64"), py::arg("columns"), py::arg("row_stride"),
           py::arg("negate"), py::arg("device"), py::arg("stream"))
      .def_property_readonly("function", [](const RowFetcher&) { return RowFetcher::function(); })
      .def_property_readonly("context", &RowFetcher::context);
}
