// NumPy matrices as the core's views of costs, and its statuses as exceptions.
#pragma once

#include <pybind11/numpy.h>

#include <vector>

#include "rebasin/assignment.hpp"
#include "rebasin/status.hpp"

// A two-dimensional array of real numbers, read where it lies; `bfloat16` says what two-byte entries are.
rebasin::AnyCostView cost_view(const pybind11::array& cost, bool maximize, bool bfloat16);

std::vector<rebasin::AnyCostView> cost_views(const std::vector<pybind11::array>& costs, bool maximize,
                                             bool bfloat16);

// Throws for what ends a whole call: an interrupt, whose exception is set, or no memory.
void raise_if_ended(const std::vector<rebasin::Status>& statuses);
