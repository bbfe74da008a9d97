// Reads of a mapped file that another process has shortened: zeros and a mark, where the system ends the
// process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rebasin {

// One mapping that a watch covers; all fields are read by a signal handler.
struct GuardedRange {
  std::atomic<std::uintptr_t> begin{0};  // 0 where no mapping stands here
  std::atomic<std::size_t> size{0};
  std::atomic<bool> writable{false};
  std::atomic<bool> faulted{false};
  std::atomic<bool> taken{false};
};

// A mapping as `mmap` gave it: `begin` at the beginning of a page. It must be destroyed before the memory is
// unmapped. Thread-safe; std::bad_alloc where there is no memory to note it.
class GuardedMapping {
 public:
  GuardedMapping(const void* begin, std::size_t size, bool writable);
  ~GuardedMapping();
  GuardedMapping(const GuardedMapping&) = delete;
  GuardedMapping& operator=(const GuardedMapping&) = delete;

  // Whether a page of it could not be read since; what stood there reads as zeros from then on.
  bool faulted() const { return range_->faulted; }

 private:
  GuardedRange* range_;
};

// While one or more live, a fault (SIGBUS) in a guarded mapping gives zeros from the page of the fault to the
// end of the mapping, and marks it: whoever opens a watch asks `faulted` at the end. All other faults go to
// the handler that was there before, and so does every fault while no watch lives. Costs nothing as long as
// nothing faults. Thread-safe.
class MappingWatch {
 public:
  MappingWatch();
  ~MappingWatch();
  MappingWatch(const MappingWatch&) = delete;
  MappingWatch& operator=(const MappingWatch&) = delete;
};

// Whether this system tells such faults by a signal; a watch does nothing elsewhere.
bool mapping_guard_available();

}  // namespace rebasin
