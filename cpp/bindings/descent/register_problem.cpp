#include <pybind11/stl.h>

#include <tuple>

#include "bindings.hpp"
#include "descent/python_problem.hpp"
#include "python_interrupt.hpp"

namespace py = pybind11;

namespace {

std::vector<std::int64_t> strides_in_elements(const py::array& array) {
  std::vector<std::int64_t> strides(array.strides(), array.strides() + array.ndim());
  for (std::int64_t& stride : strides) stride /= array.itemsize();
  return strides;
}

using Moves = std::vector<std::tuple<std::vector<std::int32_t>, int, std::int64_t, Index>>;

void add_moves(rebasin::Tensor& tensor, const Moves& moves) {
  for (const auto& [permutations, axis, copies, positions] : moves)
    tensor.moves.push_back({permutations, axis, copies, to_vector(positions)});
}

// A backend's tensor has a shape only; offsets are those of C order.
void add_remote_tensor(OwnedProblem& owned, const std::vector<std::int64_t>& shape, const Moves& moves) {
  rebasin::Tensor tensor;
  tensor.shape = shape;
  tensor.a_strides.assign(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;)
    tensor.a_strides[axis - 1] = tensor.a_strides[axis] * shape[axis];
  tensor.b_strides = tensor.a_strides;
  add_moves(tensor, moves);
  owned.problem.tensors.push_back(std::move(tensor));
}

void add_tensor(OwnedProblem& owned, const py::array& a, const py::array& b, rebasin::DType dtype,
                const Moves& moves) {
  rebasin::Tensor tensor;
  tensor.a = a.data();
  tensor.b = b.data();
  tensor.dtype = dtype;
  tensor.shape.assign(a.shape(), a.shape() + a.ndim());
  tensor.a_strides = strides_in_elements(a);
  tensor.b_strides = strides_in_elements(b);
  add_moves(tensor, moves);
  owned.problem.tensors.push_back(std::move(tensor));
  owned.arrays.push_back(a);
  owned.arrays.push_back(b);
}

}  // namespace

void register_problem(py::module_& m) {
  py::enum_<rebasin::DType>(m, "DType")
      .value("float32", rebasin::DType::float32)
      .value("float64", rebasin::DType::float64)
      .value("float16", rebasin::DType::float16)
      .value("bfloat16", rebasin::DType::bfloat16);

  py::class_<StopFlag>(m, "StopFlag", "Ends a descent that runs on another thread.")
      .def(py::init<>())
      .def("set", [](StopFlag& flag) { flag.raised = true; });

  py::class_<OwnedProblem>(m, "Problem", "A permutation spec compiled against two sets of parameters.")
      .def(py::init<>())
      .def(
          "add_permutation",
          [](OwnedProblem& owned, std::int64_t size, std::vector<std::int32_t> parents) {
            owned.problem.permutations.push_back({size, std::move(parents)});
          },
          py::arg("size"), py::arg("parents"),
          "parents: numbers of the permutations around it, outermost first.")
      .def("add_remote_tensor", &add_remote_tensor, py::arg("shape"), py::arg("moves"),
           "A tensor that lies with the backend, in C order.")
      .def("add_tensor", &add_tensor, py::arg("a"), py::arg("b"), py::arg("dtype"), py::arg("moves"),
           "moves: (permutations outermost first, axis, copies, positions of shape (*sizes, copies)), "
           "flattened.");
}
