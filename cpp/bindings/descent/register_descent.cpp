#include <exception>

#include "bindings.hpp"
#include "descent/python_backend.hpp"
#include "python_interrupt.hpp"
#include "rebasin/descent.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

// The core's options, and its calls to Python: next_order(sweep), on_step(step), on_visit(event), or None.
struct Options : rebasin::DescentOptions {
  py::object orders = py::none();
  py::object steps = py::none();
  py::object visits = py::none();
};

// Calls Python during a descent, and keeps an exception for the caller.
class Listener {
 public:
  // The options with the calls in place; the listener must outlive their use.
  rebasin::DescentOptions listen(const Options& options) {
    rebasin::DescentOptions listening = options;
    if (!options.orders.is_none()) {
      listening.next_order = [this, &options](std::int64_t sweep, std::vector<std::int32_t>& order) {
        bool more = false;
        with_python([&] {
          const py::object given = call(options.orders, sweep);
          more = !given.is_none();
          if (more) order = given.cast<std::vector<std::int32_t>>();
        });
        return more;
      };
    }
    // An exception of on_step ends the descent at the visit that follows.
    if (!options.steps.is_none())
      listening.on_step = [this, &options](const rebasin::DescentStep& step) {
        with_python([&] { call(options.steps, step); });
      };
    if (!options.visits.is_none() || !options.steps.is_none())
      listening.on_visit = [this, &options](const rebasin::DescentEvent& event) {
        return !raised_ && (options.visits.is_none() || with_python([&] { call(options.visits, event); }));
      };
    return listening;
  }

  void rethrow() const {
    if (raised_) std::rethrow_exception(raised_);
  }

 private:
  template <class Body>
  bool with_python(Body&& body) {
    const GilAcquire gil;
    try {
      body();
    } catch (const std::exception&) {
      raised_ = std::current_exception();
    }
    return !raised_;
  }

  std::exception_ptr raised_;
};

template <class T>
rebasin::Status descend_with(const OwnedProblem& owned, std::uintptr_t gemm, const py::object& backend,
                             const rebasin::DescentOptions& options, rebasin::DescentResult& result,
                             StopFlag* stop) {
  can_throw_without_memory();
  rebasin::Interrupt interrupt = python_interrupt(stop);
  if (backend.is_none()) {
    const GilRelease without_gil;
    return rebasin::coordinate_descent<T>(owned.problem, reinterpret_cast<rebasin::Gemm<T>>(gemm), options,
                                          result, interrupt);
  }
  PythonBackend<T> in_python(backend, owned.problem.tensors.size(), interrupt);
  rebasin::Status status;
  {
    const GilRelease without_gil;
    status = rebasin::coordinate_descent(owned.problem, in_python, options, result);
  }
  if (in_python.raised()) std::rethrow_exception(in_python.raised());
  return status;
}

rebasin::DescentResult descend(const OwnedProblem& owned, const std::vector<Index>& start,
                               const Options& options, bool double_products, std::uintptr_t gemm,
                               const py::object& backend, StopFlag* stop) {
  rebasin::DescentResult result;
  for (const Index& units : start) result.permutations.push_back(to_vector(units));
  Listener listener;
  const rebasin::DescentOptions listening = listener.listen(options);
  const rebasin::Status status = double_products
                                     ? descend_with<double>(owned, gemm, backend, listening, result, stop)
                                     : descend_with<float>(owned, gemm, backend, listening, result, stop);
  listener.rethrow();
  raise_if_ended(status);
  if (status != rebasin::Status::ok)
    throw std::overflow_error("the products of the weights overflow; scale the parameters down");
  return result;
}

rebasin::DescentStep step_of(std::int32_t permutation, double score, const std::vector<Index>& family) {
  rebasin::DescentStep step{permutation, score, {}};
  for (const Index& units : family) step.family.push_back(to_vector(units));
  return step;
}

void register_options(py::module_& m) {
  using rebasin::DescentEvent;
  using rebasin::DescentStep;
  py::class_<DescentEvent>(m, "DescentEvent")
      .def_readonly("sweep", &DescentEvent::sweep)
      .def_readonly("visit", &DescentEvent::visit)
      .def_readonly("visits", &DescentEvent::visits)
      .def_readonly("permutation", &DescentEvent::permutation)
      .def_readonly("objective", &DescentEvent::objective)
      .def_readonly("flop_done", &DescentEvent::flop_done)
      .def_readonly("flop_ahead", &DescentEvent::flop_ahead);
  py::class_<DescentStep>(m, "DescentStep")
      .def(py::init(&step_of), py::arg("permutation"), py::arg("fixed_axes_score"), py::arg("family"))
      .def_readonly("permutation", &DescentStep::permutation)
      .def_readonly("fixed_axes_score", &DescentStep::fixed_axes_score)
      .def_property_readonly("family", [](const DescentStep& step) { return to_indices(step.family); });
  py::class_<Options>(m, "DescentOptions", "See rebasin/descent.hpp.")
      .def(py::init<>())
      .def_readwrite("next_order", &Options::orders)
      .def_readwrite("on_step", &Options::steps)
      .def_readwrite("on_visit", &Options::visits)
      .def_readwrite("most_sweeps", &Options::most_sweeps)
      .def_readwrite("first_pass", &Options::first_pass)
      .def_readwrite("perturbations", &Options::perturbations)
      .def_readwrite("perturb_only_if_underperformed", &Options::perturb_only_if_underperformed)
      .def_readwrite("seed", &Options::seed)
      .def_readwrite("bytes_to_keep", &Options::bytes_to_keep)
      .def_readwrite("tolerance", &Options::tolerance)
      .def_readwrite("overwrite", &Options::overwrite)
      .def_readwrite("recorded", &Options::recorded);
}

void register_results(py::module_& m) {
  using rebasin::DescentResult;
  using rebasin::DescentStats;
  py::class_<DescentStats>(m, "DescentStats")
      .def_readonly("visits", &DescentStats::visits)
      .def_readonly("skipped_visits", &DescentStats::skipped_visits)
      .def_readonly("assignments", &DescentStats::assignments)
      .def_readonly("accepted_steps", &DescentStats::accepted_steps)
      .def_readonly("perturbations", &DescentStats::perturbations)
      .def_readonly("perturbations_kept", &DescentStats::perturbations_kept)
      .def_readonly("product_flop", &DescentStats::product_flop)
      .def_readonly("product_columns", &DescentStats::product_columns)
      .def_readonly("packed_bytes", &DescentStats::packed_bytes)
      .def_readonly("planning_seconds", &DescentStats::planning_seconds)
      .def_readonly("packing_seconds", &DescentStats::packing_seconds)
      .def_readonly("product_seconds", &DescentStats::product_seconds)
      .def_readonly("assignment_seconds", &DescentStats::assignment_seconds)
      .def_readonly("objective_seconds", &DescentStats::objective_seconds);
  py::class_<DescentResult>(m, "DescentResult")
      .def_property_readonly("permutations",
                             [](const DescentResult& result) { return to_indices(result.permutations); })
      .def_readonly("objective", &DescentResult::objective)
      .def_readonly("first_objective", &DescentResult::first_objective)
      .def_readonly("history", &DescentResult::history)
      .def_readonly("converged", &DescentResult::converged)
      .def_readonly("stats", &DescentResult::stats);
}

}  // namespace

void register_descent(py::module_& m) {
  register_options(m);
  register_results(m);
  m.def("coordinate_descent", &descend, py::arg("problem"), py::arg("start"), py::arg("options"),
        py::arg("double_products"), py::arg("gemm") = 0, py::arg("backend") = py::none(),
        py::arg("stop") = nullptr,
        "Weight matching: by products of `gemm`, the address of a Fortran sgemm or dgemm, or on a backend in "
        "Python, to which alone the tensors' pointers matter.");
}
