#include "cost_view.hpp"

#include <new>

namespace py = pybind11;

using rebasin::Element;

namespace {

Element element_of(const py::dtype& dtype) {
  const auto size = dtype.itemsize();
  const auto pick = [size](Element one, Element two, Element four, Element eight) {
    return size == 1 ? one : size == 2 ? two : size == 4 ? four : eight;
  };
  switch (dtype.kind()) {
    case 'b':
      return Element::uint8;
    case 'i':
      return pick(Element::int8, Element::int16, Element::int32, Element::int64);
    case 'u':
      return pick(Element::uint8, Element::uint16, Element::uint32, Element::uint64);
    case 'f':
      if (size == 2 || size == 4 || size == 8) {
        return pick(Element::float16, Element::float16, Element::float32, Element::float64);
      }
      break;
    default:
      break;
  }
  throw py::type_error("expected an array of real numbers of at most 64 bits");
}

}  // namespace

rebasin::AnyCostView cost_view(const py::array& cost, bool maximize, bool bfloat16) {
  if (cost.ndim() != 2) throw py::type_error("expected a two-dimensional array");
  const char order = cost.dtype().byteorder();
  return {.data = cost.data(),
          .element = bfloat16 ? Element::bfloat16 : element_of(cost.dtype()),
          .swapped_bytes = PY_LITTLE_ENDIAN != 0 ? order == '>' : order == '<',
          .rows = cost.shape(0),
          .columns = cost.shape(1),
          .row_stride = cost.strides(0),
          .column_stride = cost.strides(1),
          .maximize = maximize};
}

std::vector<rebasin::AnyCostView> cost_views(const std::vector<py::array>& costs, bool maximize,
                                             bool bfloat16) {
  std::vector<rebasin::AnyCostView> views;
  views.reserve(costs.size());
  for (const py::array& cost : costs) views.push_back(cost_view(cost, maximize, bfloat16));
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

void raise_if_ended(const std::vector<rebasin::Status>& statuses) {
  for (const rebasin::Status status : statuses) {
    if (status == rebasin::Status::interrupted) throw py::error_already_set();
    if (status == rebasin::Status::out_of_memory) throw std::bad_alloc();
  }
}
