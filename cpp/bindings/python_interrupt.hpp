// Ctrl-C for native loops that run without the GIL.
#pragma once

#include <Python.h>

#include "rebasin/interrupt.hpp"

// Asks Python whether a signal's handler raised; the exception stays set for the caller to throw.
inline bool python_signal_raised(void*) {
  const PyGILState_STATE gil = PyGILState_Ensure();
  const bool raised = PyErr_CheckSignals() != 0;
  PyGILState_Release(gil);
  return raised;
}

inline rebasin::Interrupt python_interrupt() {
  return rebasin::Interrupt(python_signal_raised, nullptr);
}
