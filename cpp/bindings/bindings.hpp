// One register_ function per concept; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

void register_assignment(pybind11::module_& m);
void register_assignment_batch(pybind11::module_& m);
void register_build(pybind11::module_& m);
void register_descent(pybind11::module_& m);
void register_k_best(pybind11::module_& m);
void register_bottleneck(pybind11::module_& m);
void register_problem(pybind11::module_& m);
void register_lists(pybind11::module_& m);
void register_sparse(pybind11::module_& m);
void register_mapping_guard(pybind11::module_& m);
