// Ctrl-C for native loops that run without the GIL.
#pragma once

#include <Python.h>

#include <atomic>

#include "rebasin/interrupt.hpp"

// Ends native loops on other threads, which Python's signals do not reach.
struct StopFlag {
  std::atomic<bool> raised{false};
};

// Asks the flag, where there is one, and then Python whether a signal's handler raised; the exception stays
// set for the caller to throw.
inline bool python_signal_raised(void* flag) {
  if (flag != nullptr && static_cast<const StopFlag*>(flag)->raised) return true;
  const PyGILState_STATE gil = PyGILState_Ensure();
  const bool raised = PyErr_CheckSignals() != 0;
  PyGILState_Release(gil);
  return raised;
}

inline rebasin::Interrupt python_interrupt(StopFlag* flag = nullptr) {
  return rebasin::Interrupt(python_signal_raised, flag);
}
