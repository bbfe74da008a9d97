#include <string>

#include "bindings.hpp"

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

}  // namespace

void register_build(py::module_& m) {
  m.def("build_config", &build_config, "How this extension was built: version, build type, compiler.");
}
