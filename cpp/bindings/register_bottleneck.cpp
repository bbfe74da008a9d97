#include "bindings.hpp"

void register_bottleneck(pybind11::module_&) {}
