// NumPy arrays as the core's views of costs.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "rebasin/assignment.hpp"

// The matrix of the last two axes of an array of `axes` axes, read where it lies: the first one of a batch.
// With `bfloat16` two-byte entries are of that type. None for arrays of other axes or dtypes.
std::optional<rebasin::AnyCostView> find_cost_view(const pybind11::array& cost, bool maximize, bool bfloat16,
                                                   pybind11::ssize_t axes = 2);

// The same, with TypeError for other arrays.
rebasin::AnyCostView cost_view(const pybind11::array& cost, bool maximize, bool bfloat16,
                               pybind11::ssize_t axes = 2);

std::vector<rebasin::AnyCostView> cost_views(const std::vector<pybind11::array>& costs, bool maximize,
                                             bool bfloat16);

// Whether the problems together, each entry read `times` times, take less than handing the interpreter over.
bool soon_done(const std::vector<rebasin::AnyCostView>& views, std::int64_t times);
