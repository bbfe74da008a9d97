// The guarded ranges, in memory that is never freed: a signal handler may read it at any time, on any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "rebasin/mapping_guard.hpp"

namespace rebasin {

class RangeTable {
 public:
  GuardedRange* add(std::uintptr_t begin, std::size_t size, bool writable) {
    GuardedRange* range = take_free();
    range->size = size;
    range->writable = writable;
    range->faulted = false;
    range->begin = begin;
    return range;
  }

  static void remove(GuardedRange* range) {
    range->begin = 0;
    range->taken = false;
  }

  // The range that holds `address`, and its end; nullptr if none does. For signal handlers: no lock, no
  // allocation.
  GuardedRange* find(std::uintptr_t address, std::uintptr_t& end) {
    for (Block* block = &first_; block != nullptr; block = block->next) {
      for (GuardedRange& range : block->ranges) {
        const std::uintptr_t begin = range.begin;
        const std::size_t size = range.size;
        // A range that was given to another mapping in between has another beginning by now.
        if (begin == 0 || range.begin != begin || address < begin || address - begin >= size) continue;
        end = begin + size;
        return &range;
      }
    }
    return nullptr;
  }

 private:
  struct Block {
    std::array<GuardedRange, 64> ranges;
    std::atomic<Block*> next{nullptr};
  };

  GuardedRange* take_free() {
    for (Block* block = &first_;; block = following(block)) {
      for (GuardedRange& range : block->ranges) {
        if (!range.taken.exchange(true)) return &range;
      }
    }
  }

  static Block* following(Block* block) {
    Block* next = block->next;
    if (next != nullptr) return next;
    auto* fresh = new Block;
    if (block->next.compare_exchange_strong(next, fresh)) return fresh;
    delete fresh;
    return next;
  }

  Block first_;
};

static_assert(std::atomic<std::uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

}  // namespace rebasin
