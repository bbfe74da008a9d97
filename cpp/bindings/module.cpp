#include "bindings.hpp"

PYBIND11_MODULE(_core, m) {
  register_build(m);
  register_assignment(m);
  register_assignment_batch(m);
  register_problem(m);
  register_descent(m);
  register_k_best(m);
  register_bottleneck(m);
  register_lists(m);
  register_sparse(m);
  register_mapping_guard(m);
}
