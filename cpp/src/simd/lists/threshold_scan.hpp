// One row's reduced costs at or below a given threshold, in one read.
#pragma once

#include "simd/lists/candidate_scan.hpp"

namespace {

// Into its place among the `found.count` ascending entries; those before it stay before it where they tie.
template <class T>
void insert_entry(T cost, T reduced, std::int32_t column, Scan<T>& found) {
  int at = found.count++;
  for (; at > 0 && found.reduced[at - 1] > reduced; --at) {
    found.reduced[at] = found.reduced[at - 1];
    found.cost[at] = found.cost[at - 1];
    found.column[at] = found.column[at - 1];
  }
  found.reduced[at] = reduced;
  found.cost[at] = cost;
  found.column[at] = column;
}

template <class T, bool negate>
void scan_row_below(const T* run, const T* v, std::int64_t columns, T threshold, const T* next,
                    std::uint64_t* masks, Scan<T>& found) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  constexpr int capacity = rebasin::simd::record_capacity;
  const RowView<T, negate> row(run, v, columns);
  const std::int64_t end = (columns + block - 1) / block * block;
  found.count = 0;
  found.invalid = false;
  found.threshold = threshold;
  const std::int64_t total = mark(row, end, threshold, masks, next);
  if (total > capacity) return;
  for (std::int64_t first = 0; first < end; first += block) {
    for (std::uint64_t bits = masks[first / block]; bits != 0; bits &= bits - 1) {
      const int k = __builtin_ctzll(bits);
      const T entry = row.block_at(first)[k];
      const T cost = negate ? -entry : entry;
      const T reduced = cost - v[first + k];
      found.invalid |= !(reduced > -infinity);
      insert_entry(cost, reduced, static_cast<std::int32_t>(first) + k, found);
    }
  }
  for (int k = found.count; k < capacity; ++k) {
    found.column[k] = 0;
    found.cost[k] = infinity;
    found.reduced[k] = infinity;
  }
}

template <class T>
void scan_below(const T* run, const T* v, T sign_mask, std::int64_t columns, T threshold, const T* next,
                std::uint64_t* masks, Scan<T>& found) {
  if (negates(sign_mask)) {
    scan_row_below<T, true>(run, v, columns, threshold, next, masks, found);
  } else {
    scan_row_below<T, false>(run, v, columns, threshold, next, masks, found);
  }
}

}  // namespace
