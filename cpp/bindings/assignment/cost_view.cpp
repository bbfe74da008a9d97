#include "assignment/cost_view.hpp"

#include <string>

#include "python_interrupt.hpp"

namespace py = pybind11;

using rebasin::DType;

namespace {

// None for a dtype that the core does not read. Of two bytes it is float16: NumPy has no bfloat16.
std::optional<DType> find_dtype(const py::dtype& dtype) {
  const auto size = dtype.itemsize();
  const auto pick = [size](DType one, DType two, DType four, DType eight) {
    return size == 1 ? one : size == 2 ? two : size == 4 ? four : eight;
  };
  switch (dtype.kind()) {
    case 'b':
      return DType::uint8;
    case 'i':
      return pick(DType::int8, DType::int16, DType::int32, DType::int64);
    case 'u':
      return pick(DType::uint8, DType::uint16, DType::uint32, DType::uint64);
    case 'f':
      if (size == 2 || size == 4 || size == 8) {
        return pick(DType::float16, DType::float16, DType::float32, DType::float64);
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<rebasin::AnyCostView> find_cost_view(const py::array& cost, bool maximize, bool bfloat16,
                                                   py::ssize_t axes) {
  const py::dtype stored = cost.dtype();
  const std::optional<DType> dtype = bfloat16 ? DType::bfloat16 : find_dtype(stored);
  if (!dtype || cost.ndim() != axes) return std::nullopt;
  const char order = stored.byteorder();
  const py::ssize_t* shape = cost.shape() + axes - 2;
  const py::ssize_t* strides = cost.strides() + axes - 2;
  return rebasin::AnyCostView{.data = cost.data(),
                              .dtype = *dtype,
                              .swapped_bytes = PY_LITTLE_ENDIAN != 0 ? order == '>' : order == '<',
                              .rows = shape[0],
                              .columns = shape[1],
                              .row_stride = strides[0],
                              .column_stride = strides[1],
                              .maximize = maximize};
}

rebasin::AnyCostView cost_view(const py::array& cost, bool maximize, bool bfloat16, py::ssize_t axes) {
  const std::optional<rebasin::AnyCostView> view = find_cost_view(cost, maximize, bfloat16, axes);
  if (view) return *view;
  throw py::type_error("expected a " + std::to_string(axes) + "-D array of real numbers of at most 64 bits");
}

std::vector<rebasin::AnyCostView> cost_views(const std::vector<py::array>& costs, bool maximize,
                                             bool bfloat16) {
  std::vector<rebasin::AnyCostView> views;
  views.reserve(costs.size());
  rebasin::WorkCount work;
  for (const py::array& cost : costs) {
    hear_signals(work);
    views.push_back(cost_view(cost, maximize, bfloat16));
  }
  return views;
}

bool soon_done(const std::vector<rebasin::AnyCostView>& views, std::int64_t times) {
  constexpr std::int64_t enough = 1 << 14;
  std::int64_t read = 0;
  for (const rebasin::AnyCostView& view : views) {
    const std::int64_t entries = view.rows * view.columns + 1;
    if (entries > (enough - read) / times) return false;
    read += entries * times;
  }
  return true;
}
