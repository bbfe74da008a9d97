// Ctrl-C for native loops that run without the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>

#include "python_thread.hpp"
#include "rebasin/interrupt.hpp"

// Ends native loops on other threads, which Python's signals do not reach.
struct StopFlag {
  std::atomic<bool> raised{false};
};

inline bool flag_raised(void* flag) {
  return static_cast<const StopFlag*>(flag)->raised;
}

// Asks the flag, where there is one, and then Python whether a signal's handler raised; the exception stays
// set for the caller to throw. True where the interpreter is ending: no caller waits for the answer.
inline bool python_signal_raised(void* flag) {
  if (flag != nullptr && flag_raised(flag)) return true;
  if (interpreter_is_ending()) return true;
  const GilAcquire gil;
  return outlive_interpreter([] { return PyErr_CheckSignals() != 0; });
}

// To be called with the GIL, before it is given up.
inline rebasin::Interrupt python_interrupt(StopFlag* flag = nullptr) {
  // The thread that ends the interpreter works on undisturbed.
  if (interpreter_is_ending())
    return flag == nullptr ? rebasin::Interrupt() : rebasin::Interrupt(flag_raised, flag);
  return rebasin::Interrupt(python_signal_raised, flag);
}

// To be called with the GIL once a piece of work in loops that make Python objects; throws what a signal's
// handler raised.
inline void hear_signals(rebasin::WorkCount& work) {
  if (work.due() && PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
}

// Calls `solve` with an interrupt: without the GIL and open to Python's signals, unless `brief` work would
// end before the interpreter has been handed over.
template <class Solve>
auto run_native(bool brief, const Solve& solve) {
  if (brief) {
    rebasin::Interrupt never;
    return solve(never);
  }
  rebasin::Interrupt interrupt = python_interrupt();
  const GilRelease without_gil;
  return solve(interrupt);
}
