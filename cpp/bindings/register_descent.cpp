#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>
#include <exception>

#include "bindings.hpp"
#include "python_interrupt.hpp"
#include "rebasin/descent.hpp"

namespace py = pybind11;

namespace {

using Index = py::array_t<std::int64_t, py::array::c_style>;

using Step = std::tuple<std::int32_t, double, std::vector<Index>>;

// A matching problem together with the arrays that its pointers reach into.
struct OwnedProblem {
  rebasin::Problem problem;
  std::vector<py::array> arrays;
};

std::vector<std::int64_t> to_vector(const Index& index) {
  return {index.data(), index.data() + index.size()};
}

Index to_index(const std::vector<std::int64_t>& units) {
  return Index(static_cast<py::ssize_t>(units.size()), units.data());
}

std::vector<std::int64_t> strides_in_elements(const py::array& array) {
  std::vector<std::int64_t> strides(array.strides(), array.strides() + array.ndim());
  for (std::int64_t& stride : strides) stride /= array.itemsize();
  return strides;
}

void add_tensor(OwnedProblem& owned, const py::array& a, const py::array& b, rebasin::DType dtype,
                const std::vector<std::tuple<std::vector<std::int32_t>, int, std::int64_t, Index>>& moves) {
  rebasin::Tensor tensor;
  tensor.a = a.data();
  tensor.b = b.data();
  tensor.dtype = dtype;
  tensor.shape.assign(a.shape(), a.shape() + a.ndim());
  tensor.a_strides = strides_in_elements(a);
  tensor.b_strides = strides_in_elements(b);
  for (const auto& [permutations, axis, copies, positions] : moves) {
    tensor.moves.push_back({permutations, axis, copies, to_vector(positions)});
  }
  owned.problem.tensors.push_back(std::move(tensor));
  owned.arrays.push_back(a);
  owned.arrays.push_back(b);
}

template <class... Arguments>
py::object call(const py::object& function, Arguments&&... given) {
  const py::tuple arguments = py::make_tuple(std::forward<Arguments>(given)...);
  PyObject* result =
      outlive_interpreter([&] { return PyObject_CallObject(function.ptr(), arguments.ptr()); });
  if (result == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

// Calls Python after every visit and before every sweep, and keeps what it raises for the caller.
struct Listener {
  py::object callback;
  py::object orders;
  py::object steps;
  std::exception_ptr raised;

  bool next_order(std::int64_t sweep, std::vector<std::int32_t>& order) {
    const GilAcquire gil;
    try {
      const py::object given = call(orders, sweep);
      if (given.is_none()) return false;
      order = given.cast<std::vector<std::int32_t>>();
      return true;
    } catch (const std::exception&) {
      raised = std::current_exception();
      return false;
    }
  }

  // What it raises ends the descent at the visit that follows.
  void on_step(const rebasin::DescentStep& step) {
    const GilAcquire gil;
    try {
      py::list family;
      for (const auto& units : step.family) family.append(to_index(units));
      call(steps, step.permutation, step.fixed_axes_score, family);
    } catch (const py::error_already_set&) {
      raised = std::current_exception();
    }
  }

  static bool on_visit(void* context, const rebasin::DescentEvent& event) {
    auto& self = *static_cast<Listener*>(context);
    if (self.raised) return false;
    if (self.callback.is_none()) return true;
    const GilAcquire gil;
    try {
      call(self.callback, event.sweep, event.visit, event.visits, event.permutation, event.objective,
           event.flop_done, event.flop_ahead);
      return true;
    } catch (const py::error_already_set&) {
      self.raised = std::current_exception();
      return false;
    }
  }
};

template <class T>
rebasin::Status descend_with(const OwnedProblem& owned, std::uintptr_t gemm,
                             const rebasin::DescentOptions& options, rebasin::DescentResult& result,
                             StopFlag* stop) {
  rebasin::Interrupt interrupt = python_interrupt(stop);
  const GilRelease without_gil;
  return rebasin::coordinate_descent<T>(owned.problem, reinterpret_cast<rebasin::Gemm<T>>(gemm), options,
                                        result, interrupt);
}

py::dict stats_of(const rebasin::DescentStats& stats) {
  py::dict fields;
  fields["visits"] = stats.visits;
  fields["skipped_visits"] = stats.skipped_visits;
  fields["assignments"] = stats.assignments;
  fields["accepted_steps"] = stats.accepted_steps;
  fields["shakes"] = stats.perturbations;
  fields["shakes_kept"] = stats.perturbations_kept;
  fields["product_flop"] = stats.product_flop;
  fields["product_columns"] = stats.product_columns;
  fields["packed_bytes"] = stats.packed_bytes;
  fields["planning_seconds"] = stats.planning_seconds;
  fields["packing_seconds"] = stats.packing_seconds;
  fields["product_seconds"] = stats.product_seconds;
  fields["assignment_seconds"] = stats.assignment_seconds;
  fields["objective_seconds"] = stats.objective_seconds;
  return fields;
}

py::dict result_of(const rebasin::DescentResult& result) {
  py::list permutations;
  for (const auto& units : result.permutations) permutations.append(to_index(units));
  py::dict fields;
  fields["permutations"] = permutations;
  fields["objective"] = result.objective;
  fields["first_objective"] = result.first_objective;
  fields["history"] = result.history;
  fields["converged"] = result.converged;
  fields["stats"] = stats_of(result.stats);
  return fields;
}

py::dict descend(const OwnedProblem& owned, bool double_products, std::uintptr_t gemm,
                 const std::vector<Index>& start, py::object next_order, std::int64_t most_sweeps,
                 bool first_pass, double tolerance, bool overwrite, double bytes_to_keep, py::object on_visit,
                 const std::vector<Step>& recorded, py::object on_step, std::int64_t perturbations,
                 bool perturb_only_if_underperformed, std::uint64_t seed, StopFlag* stop) {
  rebasin::DescentResult result;
  for (const Index& units : start) result.permutations.push_back(to_vector(units));
  Listener listener{std::move(on_visit), std::move(next_order), std::move(on_step), nullptr};
  rebasin::DescentOptions options;
  if (!listener.orders.is_none()) {
    options.next_order = [&](std::int64_t sweep, std::vector<std::int32_t>& order) {
      return listener.next_order(sweep, order);
    };
  }
  options.most_sweeps = most_sweeps;
  options.first_pass = first_pass;
  options.perturbations = perturbations;
  options.perturb_only_if_underperformed = perturb_only_if_underperformed;
  options.seed = seed;
  options.tolerance = tolerance;
  options.overwrite = overwrite;
  options.bytes_to_keep = bytes_to_keep;
  for (const auto& [permutation, score, family] : recorded) {
    options.recorded.push_back({permutation, score, {}});
    for (const Index& units : family) options.recorded.back().family.push_back(to_vector(units));
  }
  if (!listener.steps.is_none()) {
    options.on_step = [&](const rebasin::DescentStep& step) { listener.on_step(step); };
  }
  if (!listener.callback.is_none() || !listener.steps.is_none()) {
    options.on_visit = Listener::on_visit;
    options.context = &listener;
  }
  const rebasin::Status status = double_products ? descend_with<double>(owned, gemm, options, result, stop)
                                                 : descend_with<float>(owned, gemm, options, result, stop);
  if (listener.raised) std::rethrow_exception(listener.raised);
  switch (status) {
    case rebasin::Status::ok:
      return result_of(result);
    case rebasin::Status::interrupted:
      if (PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_KeyboardInterrupt);  // stopped by the flag
      throw py::error_already_set();
    case rebasin::Status::out_of_memory:
      throw std::bad_alloc();
    default:
      throw std::overflow_error("the products of the weights overflow; scale the parameters down");
  }
}

}  // namespace

void register_descent(py::module_& m) {
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
      .def("add_tensor", &add_tensor, py::arg("a"), py::arg("b"), py::arg("dtype"), py::arg("moves"),
           "moves: (permutations outermost first, axis, copies, positions of shape (*sizes, copies)), "
           "flattened.");

  m.def(
      "coordinate_descent", &descend, py::arg("problem"), py::arg("double_products"), py::arg("gemm"),
      py::arg("start"), py::arg("next_order"), py::arg("most_sweeps"), py::arg("first_pass"),
      py::arg("tolerance"), py::arg("overwrite"), py::arg("bytes_to_keep"), py::arg("on_visit"),
      py::arg("recorded") = std::vector<Step>{}, py::arg("on_step") = py::none(), py::arg("shakes") = 0,
      py::arg("shakes_where_astray") = true, py::arg("seed") = 0, py::arg("stop") = nullptr,
      "Weight matching; gemm is the address of a Fortran sgemm or dgemm. next_order(sweep) lists the "
      "permutations to "
      "visit, or is None after the last sweep; in its place None lets the descent plan its visits. "
      "recorded: "
      "the (permutation, score, indices of its family) that on_step was called with by an earlier descent.");
}
