// The core's statuses as exceptions.
#pragma once

#include <pybind11/pybind11.h>

#include <new>
#include <vector>

#include "rebasin/status.hpp"

// Throws for what ends a whole call: an interrupt, whose exception is set, or no memory.
inline void raise_if_ended(rebasin::Status status) {
  if (status == rebasin::Status::interrupted) throw pybind11::error_already_set();
  if (status == rebasin::Status::out_of_memory) throw std::bad_alloc();
}

inline void raise_if_ended(const std::vector<rebasin::Status>& statuses) {
  for (const rebasin::Status status : statuses) raise_if_ended(status);
}

// The same, and for a matrix without an answer; the messages are SciPy's.
inline void raise_unless_ok(rebasin::Status status) {
  raise_if_ended(status);
  if (status == rebasin::Status::invalid_entry) {
    throw pybind11::value_error("matrix contains invalid numeric entries");
  }
  if (status == rebasin::Status::infeasible) throw pybind11::value_error("cost matrix is infeasible");
}
