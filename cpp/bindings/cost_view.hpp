// NumPy matrices as the core's views of costs, and its statuses as exceptions.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <vector>

#include "rebasin/assignment.hpp"
#include "rebasin/status.hpp"

// A two-dimensional array of real numbers, read where it lies; `bfloat16` says what two-byte entries are.
rebasin::AnyCostView cost_view(const pybind11::array& cost, bool maximize, bool bfloat16);

std::vector<rebasin::AnyCostView> cost_views(const std::vector<pybind11::array>& costs, bool maximize,
                                             bool bfloat16);

// Whether the problems together, each entry read `times` times, take less than handing the interpreter over.
bool soon_done(const std::vector<rebasin::AnyCostView>& views, std::int64_t times);

// Throws for what ends a whole call: an interrupt, whose exception is set, or no memory.
void raise_if_ended(const std::vector<rebasin::Status>& statuses);
