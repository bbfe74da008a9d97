#include <pybind11/stl.h>

#include <cstdlib>
#include <string>

#include "bindings.hpp"
#include "rebasin/simd.hpp"

namespace py = pybind11;

namespace {

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#elif defined(_MSC_VER)
  return "MSVC " + std::to_string(_MSC_VER);
#else
  return "unknown";
#endif
}

py::dict build_config() {
  py::dict config;
  config["version"] = REBASIN_VERSION;
  config["build_type"] = REBASIN_BUILD_TYPE;
  config["compiler"] = compiler();
  return config;
}

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

void register_build(py::module_& m) {
  check_wanted_level();
  m.def("build_config", &build_config, "How this extension was built: version, build type, compiler.");
  m.def("simd_level", &rebasin::simd_level, "The instruction-set level in use.");
  m.def("simd_levels", &rebasin::simd_levels, "The levels that this machine runs, best first.");
}
