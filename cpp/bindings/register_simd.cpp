#include <pybind11/stl.h>

#include <cstdlib>
#include <string>

#include "bindings.hpp"
#include "rebasin/simd.hpp"

namespace py = pybind11;

namespace {

// A misspelt level must not silently measure another.
void check_wanted_level() {
  const char* wanted = std::getenv("REBASIN_FAST_SIMD");
  if (wanted == nullptr || *wanted == '\0' || rebasin::simd_level() == wanted) return;
  std::string message =
      "REBASIN_FAST_SIMD=" + std::string(wanted) + " names no level of this machine; it runs:";
  for (const std::string& level : rebasin::simd_levels()) message += " " + level;
  throw py::import_error(message);
}

}  // namespace

void register_simd(py::module_& m) {
  check_wanted_level();
  m.def("simd_level", [] { return rebasin::simd_level(); }, "The instruction-set level in use.");
  m.def(
      "simd_levels", [] { return rebasin::simd_levels(); }, "The levels that this machine runs, best first.");
}
