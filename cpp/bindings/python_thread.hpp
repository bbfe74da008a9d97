// The GIL released for native work and taken again, in threads that may outlive the interpreter.
//
// Before Python 3.14, a daemon thread that requests the GIL of an ending interpreter is ended inside CPython
// by forced unwinding, which functions without exceptions and handlers of all exceptions turn into an abort.
// Here such a thread sleeps until the process has ended, as in Python 3.14.
#pragma once

#include <Python.h>

#include <chrono>
#include <thread>
#include <utility>
#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

[[noreturn]] inline void sleep_until_the_process_ends() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

inline bool interpreter_is_ending() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#else
  return _Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#endif
}

// Calls `ask`, inside which CPython may end this thread. To be put around CPython's function alone: objects
// that unwinding destroys would be released without the GIL.
template <class Ask>
auto outlive_interpreter(Ask&& ask) {
#ifdef __GLIBCXX__
  try {
    return std::forward<Ask>(ask)();
  } catch (abi::__forced_unwind&) {
    sleep_until_the_process_ends();
  }
#else
  return std::forward<Ask>(ask)();
#endif
}

// Releases the GIL for a scope. The thread that ends the interpreter keeps it: no other thread may take it
// any more.
class GilRelease {
 public:
  GilRelease() : state_(interpreter_is_ending() ? nullptr : PyEval_SaveThread()) {}
  ~GilRelease() {
    if (state_ == nullptr) return;
    if (interpreter_is_ending()) sleep_until_the_process_ends();
    outlive_interpreter([this] { PyEval_RestoreThread(state_); });
  }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  PyThreadState* state_;
};

// Holds the GIL for a scope of native work that has released it.
class GilAcquire {
 public:
  GilAcquire() {
    if (interpreter_is_ending()) sleep_until_the_process_ends();
    state_ = outlive_interpreter([] { return PyGILState_Ensure(); });
  }
  ~GilAcquire() { PyGILState_Release(state_); }
  GilAcquire(const GilAcquire&) = delete;
  GilAcquire& operator=(const GilAcquire&) = delete;

 private:
  PyGILState_STATE state_;
};
