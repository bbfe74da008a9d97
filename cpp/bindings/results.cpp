#include "results.hpp"

#include <cstring>
#include <limits>
#include <vector>

#include "arrays.hpp"
#include "statuses.hpp"

namespace py = pybind11;

ResultType::ResultType(py::module_& m, const char* name, std::initializer_list<const char*> fields) {
  std::vector<PyStructSequence_Field> named;
  for (const char* field : fields) named.push_back({field, nullptr});
  named.push_back({nullptr, nullptr});
  PyStructSequence_Desc type{name, nullptr, named.data(), static_cast<int>(fields.size())};
  type_ = PyStructSequence_NewType(&type);
  if (type_ == nullptr) throw py::error_already_set();
  m.add_object(std::strrchr(name, '.') + 1, reinterpret_cast<PyObject*>(type_));
}

namespace {
ResultType solution_type;
}  // namespace

void register_solution(py::module_& m) {
  solution_type = {m,
                   "rebasin_fast._core.Solution",
                   {"columns", "row_duals", "column_duals", "objective", "gap", "status"}};
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
