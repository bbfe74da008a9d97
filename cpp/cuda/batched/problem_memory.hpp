// The state of the solver of one problem, in shared or global memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/candidate_row.hpp"
#include "cuda/host_device.hpp"

namespace rebasin::cuda {

inline constexpr std::int32_t nobody = -1;

// Arrays over n rows and m columns of the transposed problem, n <= m.
template <class T>
struct ProblemMemory {
  double* v = nullptr;                // m
  double* open = nullptr;             // m: distance of each column from the root of the search
  double* bound = nullptr;            // n: of each list; at the end the row's dual
  double* pair_cost = nullptr;        // n: grid image of the matched entry; at the end the entry
  double* offset = nullptr;           // n: of the rows in a search's tree; at the end the slack
  double* minima = nullptr;           // bucket_count a warp
  std::int32_t* row_of = nullptr;     // m
  std::int32_t* from = nullptr;       // m
  std::int32_t* column_of = nullptr;  // n
  std::int32_t* tree = nullptr;       // n: rows; ~row once read whole
  std::int32_t* stack = nullptr;      // n: free rows
  std::int32_t* postponed = nullptr;  // n
  std::int32_t* outcome = nullptr;    // 1
  std::uint8_t* closed = nullptr;     // m
  T* list_cost = nullptr;             // list_capacity a row
  ListColumn* list_column = nullptr;  // list_capacity a row
};

// Takes arrays from memory, or counts its bytes when there is none yet.
class Arena {
 public:
  REBASIN_HD explicit Arena(char* memory) : memory_(memory) {}

  template <class V>
  REBASIN_HD void take(V*& array, std::int64_t count) {
    constexpr std::int64_t alignment = 16;
    if (memory_ != nullptr) array = reinterpret_cast<V*>(memory_ + used_);
    used_ += (count * static_cast<std::int64_t>(sizeof(V)) + alignment - 1) / alignment * alignment;
  }

  REBASIN_HD std::int64_t used() const { return used_; }

 private:
  char* memory_;
  std::int64_t used_ = 0;
};

// Places all but the lists; returns their bytes. `memory` may be null.
template <class T>
REBASIN_HD std::int64_t place_state(ProblemMemory<T>& state, std::int64_t rows, std::int64_t columns,
                                    int warps, char* memory) {
  Arena arena(memory);
  arena.take(state.v, columns);
  arena.take(state.open, columns);
  arena.take(state.bound, rows);
  arena.take(state.pair_cost, rows);
  arena.take(state.offset, rows);
  arena.take(state.minima, std::int64_t{bucket_count} * warps);
  arena.take(state.row_of, columns);
  arena.take(state.from, columns);
  arena.take(state.column_of, rows);
  arena.take(state.tree, rows);
  arena.take(state.stack, rows);
  arena.take(state.postponed, rows);
  arena.take(state.outcome, 1);
  arena.take(state.closed, columns);
  return arena.used();
}

// Places the lists; returns their bytes. `memory` may be null.
template <class T>
REBASIN_HD std::int64_t place_lists(ProblemMemory<T>& state, std::int64_t rows, char* memory) {
  Arena arena(memory);
  arena.take(state.list_cost, rows * list_capacity);
  arena.take(state.list_column, rows * list_capacity);
  return arena.used();
}

}  // namespace rebasin::cuda
