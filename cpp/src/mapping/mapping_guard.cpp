#include "rebasin/mapping_guard.hpp"

#include <cerrno>
#include <csignal>
#include <mutex>

#include "range_table.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#define REBASIN_MAPPING_GUARD 1
#else
#define REBASIN_MAPPING_GUARD 0
#endif

namespace rebasin {

namespace {

// Never destroyed: mappings may outlive the statics of this library.
RangeTable& ranges() {
  static auto* table = new RangeTable;
  return *table;
}

#if REBASIN_MAPPING_GUARD

struct Installation {
  std::mutex mutex;  // of `watches` and of the change of handlers; the handler itself takes none
  int watches = 0;
  struct sigaction before{};
  std::atomic<RangeTable*> table{nullptr};  // nullptr while no watch lives
  std::atomic<std::uintptr_t> page{4096};
  std::atomic<std::uintptr_t> passed_on{0};  // the last fault that was not ours
};

Installation& installation() {
  static auto* only = new Installation;
  return *only;
}

// For the handler, which must not enter the initialisation of a local static.
std::atomic<Installation*> handlers_own{nullptr};

// Zeros instead of the pages from that of `address` to the end: all of them lie behind the new end of the
// file.
bool cover(Installation& own, std::uintptr_t address) {
  RangeTable* table = own.table;
  if (table == nullptr) return false;
  std::uintptr_t end = 0;
  GuardedRange* range = table->find(address, end);
  if (range == nullptr) return false;
  range->faulted = true;
  const std::uintptr_t from = address / own.page * own.page;
  const int protection = range->writable ? PROT_READ | PROT_WRITE : PROT_READ;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address as the system gave it
  return mmap(reinterpret_cast<void*>(from), end - from, protection,
              MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

// The handler before becomes the current one, and the instruction that faulted is executed again: the system
// calls that handler as if there were no guard. A fault that comes back, from a handler that calls this one,
// ends the process.
void pass_on(Installation& own, const siginfo_t* info) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const int code = info->si_code;
  const bool sent = code <= 0 || code == SI_USER || code == SI_QUEUE;  // by kill, not by an instruction
  struct sigaction next = own.before;
  if (!sent && own.passed_on.exchange(address) == address) {
    next = {};
    next.sa_handler = SIG_DFL;
  }
  sigaction(SIGBUS, &next, nullptr);
  if (sent) raise(SIGBUS);
}

void on_fault(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const int kept = errno;
  Installation* own = handlers_own;
  if (info->si_code != BUS_ADRERR || !cover(*own, reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    pass_on(*own, info);
  }
  errno = kept;
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_fault;
}

void install(Installation& own) {
  struct sigaction current{};
  if (sigaction(SIGBUS, nullptr, &current) != 0 || is_ours(current)) return;
  own.before = current;
  own.passed_on = 0;
  struct sigaction guard{};
  guard.sa_sigaction = on_fault;
  guard.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&guard.sa_mask);
  sigaction(SIGBUS, &guard, nullptr);
}

// A handler that somebody else has installed in the meantime stays.
void uninstall(const Installation& own) {
  struct sigaction current{};
  if (sigaction(SIGBUS, nullptr, &current) == 0 && is_ours(current)) sigaction(SIGBUS, &own.before, nullptr);
}

#endif

}  // namespace

GuardedMapping::GuardedMapping(const void* begin, std::size_t size, bool writable)
    : range_(ranges().add(reinterpret_cast<std::uintptr_t>(begin), size, writable)) {}

GuardedMapping::~GuardedMapping() {
  RangeTable::remove(range_);
}

#if REBASIN_MAPPING_GUARD

MappingWatch::MappingWatch() {
  Installation& own = installation();
  const std::lock_guard lock(own.mutex);
  if (own.watches++ == 0) {
    handlers_own = &own;
    own.page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    own.table = &ranges();
  }
  install(own);
}

MappingWatch::~MappingWatch() {
  Installation& own = installation();
  const std::lock_guard lock(own.mutex);
  if (--own.watches > 0) return;
  uninstall(own);
  own.table = nullptr;
}

#else

MappingWatch::MappingWatch() = default;
MappingWatch::~MappingWatch() = default;

#endif

bool mapping_guard_available() {
  return REBASIN_MAPPING_GUARD != 0;
}

}  // namespace rebasin
