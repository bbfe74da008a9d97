// What Python holds of a matching problem: its arrays, and indices as copies.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <vector>

#include "rebasin/problem.hpp"

using Index = pybind11::array_t<std::int64_t, pybind11::array::c_style>;

inline std::vector<std::int64_t> to_vector(const Index& index) {
  return {index.data(), index.data() + index.size()};
}

inline Index to_index(const std::vector<std::int64_t>& units) {
  return Index(static_cast<pybind11::ssize_t>(units.size()), units.data());
}

inline pybind11::list to_indices(const std::vector<std::vector<std::int64_t>>& rows) {
  pybind11::list indices;
  for (const auto& row : rows) indices.append(to_index(row));
  return indices;
}

// A matching problem together with the arrays that its pointers reach into.
struct OwnedProblem {
  rebasin::Problem problem;
  std::vector<pybind11::array> arrays;
};
