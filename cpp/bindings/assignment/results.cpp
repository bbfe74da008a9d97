#include "assignment/results.hpp"

#include <limits>

#include "arrays.hpp"
#include "statuses.hpp"

namespace py = pybind11;

ResultType::ResultType(py::module_& m, const char* name, std::initializer_list<const char*> fields) {
  py::list names;
  for (const char* field : fields) names.append(field);
  const py::object type = py::module_::import("collections")
                              .attr("namedtuple")(name, names, py::arg("module") = m.attr("__name__"));
  m.add_object(name, type);
  type_ = reinterpret_cast<PyTypeObject*>(type.ptr());
}

namespace {
ResultType solution_type;
}  // namespace

void register_solution(py::module_& m) {
  solution_type = {m, "Solution", {"columns", "row_duals", "column_duals", "objective", "gap", "status"}};
}

py::object to_solution(rebasin::Status status, rebasin::AssignmentSolution& solution, std::int64_t rows,
                       std::int64_t columns) {
  raise_if_ended(status);
  if (status != rebasin::Status::ok) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    solution.columns.assign(rows, -1);
    solution.row_duals.assign(rows, nan);
    solution.column_duals.assign(columns, nan);
    solution.objective = solution.gap = nan;
  }
  return solution_type(to_array(solution.columns), to_array(solution.row_duals),
                       to_array(solution.column_duals), solution.objective, solution.gap,
                       status_name(status));
}
