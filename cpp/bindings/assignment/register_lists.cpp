#include <pybind11/numpy.h>

#include "assignment/results.hpp"
#include "bindings.hpp"
#include "python_interrupt.hpp"
#include "rebasin/candidate_lists.hpp"
#include "statuses.hpp"

namespace py = pybind11;

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

ResultType result_type;

// None where the whole matrix is needed.
template <class T>
py::object solve(const Array<T>& costs, const Array<std::int32_t>& columns, const Array<double>& bounds,
                 const Array<double>& duals, std::uintptr_t fetch, std::uintptr_t context) {
  if (costs.ndim() != 2 || costs.shape(1) != rebasin::list_length || columns.size() != costs.size() ||
      bounds.size() != costs.shape(0) || duals.size() < costs.shape(0)) {
    throw py::value_error("lists, bounds and duals do not belong together");
  }
  rebasin::CandidateLists<T> lists;
  lists.rows = costs.shape(0);
  lists.columns = duals.size();
  lists.costs = costs.data();
  lists.columns_of = columns.data();
  lists.bounds = bounds.data();
  lists.duals = duals.data();
  lists.fetch = reinterpret_cast<rebasin::FetchRow>(fetch);
  lists.context = reinterpret_cast<void*>(context);
  rebasin::AssignmentSolution solution;
  const rebasin::ListsResult result = run_native(false, [&](rebasin::Interrupt& interrupt) {
    return rebasin::solve_from_lists(lists, solution, interrupt);
  });
  raise_if_ended(result.status);
  if (result.needs_matrix) return py::none();
  return result_type(to_solution(result.status, solution, lists.rows, lists.columns), result.fetched);
}

}  // namespace

void register_lists(py::module_& m) {
  result_type = {m, "ListsSolution", {"solution", "fetched"}};
  const char* text =
      "The ListsSolution of a problem to minimise, or None where the whole matrix is needed. fetch is the "
      "address of bool (*)(void* context, int64_t row, void* out).";
  m.def("solve_from_lists", &solve<float>, py::arg("costs").noconvert(), py::arg("columns"),
        py::arg("bounds"), py::arg("duals"), py::arg("fetch"), py::arg("context"), text);
  m.def("solve_from_lists", &solve<double>, py::arg("costs").noconvert(), py::arg("columns"),
        py::arg("bounds"), py::arg("duals"), py::arg("fetch"), py::arg("context"), text);
}
