// One row's smallest reduced cost alone: enough of a list where few rows share a best column.
#pragma once

#include "simd/lists/candidate_scan.hpp"

namespace {

template <class T, bool negate>
std::int32_t find_column(const RowView<T, negate>& row, std::int64_t end, T wanted) {
  using L = Lanes<T>;
  for (std::int64_t first = 0; first < end; first += block) {
    const T* entries = row.block_at(first);
    for (int k = 0; k < block; k += L::width) {
      const std::uint32_t here = L::equal(row.reduced(entries, first, k), L::all(wanted));
      if (here != 0) return static_cast<std::int32_t>(first) + k + __builtin_ctz(here);
    }
  }
  return 0;
}

template <class T, bool negate>
void scan_row_for_best(const T* run, const T* v, std::int64_t columns, const T* next, Scan<T>& found) {
  using L = Lanes<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  constexpr int line = 64 / static_cast<int>(sizeof(T));
  constexpr int chains = block / L::width < 4 ? block / L::width : 4;
  const RowView<T, negate> row(run, v, columns);
  const std::int64_t end = (columns + block - 1) / block * block;
  typename L::Vector best[chains];
  typename L::Vector second[chains];
  for (int c = 0; c < chains; ++c) best[c] = second[c] = L::all(infinity);
  std::uint32_t invalid = 0;
  for (std::int64_t first = 0; first < end; first += block) {
    const T* entries = row.block_at(first);
    if (next != nullptr) {
      for (int k = 0; k < block; k += line) __builtin_prefetch(next + first + k, 0, 2);
    }
    for (int k = 0; k < block / L::width; ++k) {
      const auto reduced = row.reduced(entries, first, k * L::width);
      invalid |= L::not_above(reduced, L::all(-infinity));
      auto& low = best[k % chains];
      second[k % chains] = L::min(L::max(reduced, low), second[k % chains]);
      low = L::min(reduced, low);
    }
  }
  for (int c = 1; c < chains; ++c) {
    second[0] = L::min(L::max(best[c], best[0]), L::min(second[c], second[0]));
    best[0] = L::min(best[c], best[0]);
  }
  T least;
  T other;
  L::two_least(best[0], second[0], least, other);
  found.invalid = invalid != 0;
  found.count = 0;
  // An entry that rounds to `other` may lie below it, but not below its neighbour.
  found.threshold = other < infinity ? from_order<T>(to_order(other) - 1) : std::numeric_limits<T>::max();
  if (found.invalid || !(least < found.threshold)) return;
  const std::int32_t column = find_column(row, end, least);
  found.column[0] = column;
  found.cost[0] = negate ? -run[column] : run[column];
  found.reduced[0] = least;
  found.count = 1;
  for (int k = 1; k < rebasin::simd::record_capacity; ++k) {
    found.column[k] = 0;
    found.cost[k] = infinity;
    found.reduced[k] = infinity;
  }
}

template <class T>
void scan_best(const T* run, const T* v, T sign_mask, std::int64_t columns, const T* next, Scan<T>& found) {
  if (negates(sign_mask)) {
    scan_row_for_best<T, true>(run, v, columns, next, found);
  } else {
    scan_row_for_best<T, false>(run, v, columns, next, found);
  }
}

}  // namespace
