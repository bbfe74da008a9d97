// Warm starts of the dense assignment functions.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <utility>

#include "rebasin/assignment.hpp"

// A warm start as it came; the arrays own its memory.
using Duals = pybind11::array_t<double, pybind11::array::c_style>;

inline std::pair<Duals, Duals> duals_of(const pybind11::handle& start) {
  return start.cast<std::pair<Duals, Duals>>();
}

inline rebasin::WarmStart warm_start_of(const Duals& row_duals, const Duals& column_duals,
                                        const rebasin::AnyCostView& view) {
  if (row_duals.size() != view.rows || column_duals.size() != view.columns) {
    throw pybind11::value_error("a warm start's duals must have the problem's shape");
  }
  return {.row_duals = row_duals.data(), .column_duals = column_duals.data()};
}
