// Mapped files that are shortened while they are read.
#include "rebasin/mapping_guard.hpp"

#include <doctest/doctest.h>

#if defined(__unix__) || defined(__APPLE__)

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace {

using namespace rebasin;

// A file without a name, filled with ones, and its mapping.
class Mapped {
 public:
  explicit Mapped(std::size_t pages, bool writable = false) : size_(pages * page()) {
    char name[] = "/tmp/rebasin_guard_XXXXXX";
    descriptor_ = mkstemp(name);
    REQUIRE(descriptor_ >= 0);
    unlink(name);
    const std::vector<std::uint8_t> ones(size_, 1);
    REQUIRE(write(descriptor_, ones.data(), size_) == static_cast<ssize_t>(size_));
    memory_ = mmap(nullptr, size_, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                   writable ? MAP_PRIVATE : MAP_SHARED, descriptor_, 0);
    REQUIRE(memory_ != MAP_FAILED);
  }
  ~Mapped() {
    munmap(memory_, size_);
    close(descriptor_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  static std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
  void shorten(std::size_t pages) const {
    REQUIRE(ftruncate(descriptor_, static_cast<off_t>(pages * page())) == 0);
  }
  void* memory() const { return memory_; }
  std::size_t size() const { return size_; }
  std::uint64_t sum() const {
    const auto* bytes = static_cast<const volatile std::uint8_t*>(memory_);
    std::uint64_t total = 0;
    for (std::size_t k = 0; k < size_; ++k) total += bytes[k];
    return total;
  }

 private:
  std::size_t size_;
  int descriptor_ = -1;
  void* memory_ = nullptr;
};

std::uintptr_t handler_now() {
  struct sigaction current{};
  sigaction(SIGBUS, nullptr, &current);
  return reinterpret_cast<std::uintptr_t>(current.sa_sigaction);
}

// Whether a child that runs `work` is ended by SIGBUS.
template <class Work>
bool ends_by_fault(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGBUS, SIG_DFL);  // the sanitizers' handler ends with a report of its own
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

TEST_CASE("a file that is shortened reads as zeros and is marked") {
  for (const bool writable : {false, true}) {
    const Mapped file(8, writable);
    const GuardedMapping guard(file.memory(), file.size(), writable);
    const MappingWatch watch;
    CHECK(file.sum() == file.size());
    CHECK_FALSE(guard.faulted());
    file.shorten(2);
    CHECK(file.sum() == 2 * Mapped::page());
    CHECK(guard.faulted());
    CHECK(file.sum() == 2 * Mapped::page());
  }
}

TEST_CASE("only the mapping that was shortened is marked") {
  const Mapped whole(4);
  const Mapped cut(4);
  const GuardedMapping first(whole.memory(), whole.size(), false);
  const GuardedMapping second(cut.memory(), cut.size(), false);
  const MappingWatch watch;
  cut.shorten(0);
  CHECK(cut.sum() == 0);
  CHECK(whole.sum() == whole.size());
  CHECK(second.faulted());
  CHECK_FALSE(first.faulted());
}

TEST_CASE("threads that fault at once all go on") {
  const Mapped file(256);
  const GuardedMapping guard(file.memory(), file.size(), false);
  const MappingWatch watch;
  file.shorten(16);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int k = 0; k < 4; ++k) {
    threads.emplace_back([&] { right += file.sum() == 16 * Mapped::page(); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 4);
  CHECK(guard.faulted());
}

TEST_CASE("many mappings come and go") {
  const Mapped file(1);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<GuardedMapping>> guards;
    std::vector<std::unique_ptr<Mapped>> files;
    for (int k = 0; k < 150; ++k) {
      files.push_back(std::make_unique<Mapped>(1));
      guards.push_back(std::make_unique<GuardedMapping>(files.back()->memory(), files.back()->size(), false));
    }
    const MappingWatch watch;
    files[149]->shorten(0);
    CHECK(files[149]->sum() == 0);
    CHECK(guards[149]->faulted());
    CHECK(std::count_if(guards.begin(), guards.end(), [](const auto& guard) { return guard->faulted(); }) ==
          1);
    guards.clear();
  }
}

TEST_CASE("the handler before returns after the last watch") {
  const std::uintptr_t before = handler_now();
  {
    const MappingWatch outer;
    const std::uintptr_t guarding = handler_now();
    CHECK(guarding != before);
    {
      const MappingWatch inner;
    }
    CHECK(handler_now() == guarding);
  }
  CHECK(handler_now() == before);
}

TEST_CASE("faults elsewhere, without a watch, or sent by kill are not covered") {
  const Mapped file(4);
  const Mapped stranger(4);
  const GuardedMapping guard(file.memory(), file.size(), false);
  file.shorten(0);
  stranger.shorten(0);
  CHECK(ends_by_fault([&] { (void)file.sum(); }));
  CHECK(ends_by_fault([&] {
    const MappingWatch watch;
    (void)stranger.sum();
  }));
  CHECK(ends_by_fault([&] {
    const MappingWatch watch;
    raise(SIGBUS);
  }));
  CHECK(ends_by_fault([&] {
    {
      const MappingWatch watch;
    }
    (void)file.sum();
  }));
  CHECK_FALSE(ends_by_fault([&] {
    const MappingWatch watch;
    (void)file.sum();
  }));
}

extern "C" void leave(int) {
  _exit(0);
}

TEST_CASE("a fault elsewhere reaches the handler that was there before") {
  const Mapped stranger(4);
  stranger.shorten(0);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGBUS, leave);
    const MappingWatch watch;
    (void)stranger.sum();
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

struct sigaction called_before{};

extern "C" void calls_the_one_before(int number, siginfo_t* info, void* context) {
  called_before.sa_sigaction(number, info, context);
}

TEST_CASE("handlers that call one another end the process") {
  const Mapped stranger(4);
  stranger.shorten(0);
  CHECK(ends_by_fault([&] {
    const MappingWatch outer;
    struct sigaction chained{};
    chained.sa_sigaction = calls_the_one_before;
    chained.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &chained, &called_before);
    const MappingWatch inner;  // which passes on to a handler that calls it
    (void)stranger.sum();
  }));
}

}  // namespace

#endif
