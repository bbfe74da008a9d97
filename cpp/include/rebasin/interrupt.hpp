// The caller's request to stop, such as Ctrl-C in Python, as native loops poll it.
#pragma once

#include <chrono>
#include <cstdint>

namespace rebasin {

// Calls the caller's poll function at most once every `period`, however often `requested` is called.
// Not thread-safe: one object a thread. A default-constructed interrupt never stops anything.
class Interrupt {
 public:
  using Poll = bool (*)(void* context);

  Interrupt() = default;
  Interrupt(Poll poll, void* context) : poll_(poll), context_(context), last_(Clock::now()) {}

  bool requested() {
    if (poll_ == nullptr || stopped_) return stopped_;
    const auto now = Clock::now();
    if (now - last_ < period) return false;
    last_ = now;
    stopped_ = poll_(context_);
    return stopped_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds period{50};

  Poll poll_ = nullptr;
  void* context_ = nullptr;
  Clock::time_point last_{};
  bool stopped_ = false;
};

// Small pieces of work, after every `period` of which a caller that counts rather than reads the clock polls.
class WorkCount {
 public:
  static constexpr std::int64_t period = 1 << 10;

  bool due() { return ++done_ % period == 0; }

 private:
  std::int64_t done_ = 0;
};

}  // namespace rebasin
