// Warm starts of the dense assignment functions.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <utility>

#include "rebasin/assignment.hpp"

// Row and column duals as they came; the arrays own the memory.
using DualPair = std::pair<pybind11::array_t<double, pybind11::array::c_style>,
                           pybind11::array_t<double, pybind11::array::c_style>>;

inline rebasin::WarmStart warm_start_of(const DualPair& duals, const rebasin::AnyCostView& view) {
  if (duals.first.size() != view.rows || duals.second.size() != view.columns) {
    throw pybind11::value_error("a warm start's duals must have the problem's shape");
  }
  return {.row_duals = duals.first.data(), .column_duals = duals.second.data()};
}
