#include "bindings.hpp"

PYBIND11_MODULE(_core, m) {
  register_assignment(m);
}
