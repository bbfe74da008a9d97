// A matching problem as Python holds it.
#pragma once

#include <pybind11/numpy.h>

#include <vector>

#include "rebasin/problem.hpp"

// A matching problem together with the arrays that its pointers reach into.
struct OwnedProblem {
  rebasin::Problem problem;
  std::vector<pybind11::array> arrays;
};
