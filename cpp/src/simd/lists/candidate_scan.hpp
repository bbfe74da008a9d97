// One row's smallest reduced costs, in one read from memory and one or two from the first-level cache.
#pragma once

#include "simd/lists/class_threshold.hpp"
#include "simd/lists/marked_entries.hpp"

namespace {

using rebasin::simd::Scan;

inline constexpr int fewest_entries = 9;  // of a threshold guessed

// The largest reduced cost below `limit`, or -inf.
template <class T, bool negate>
T largest_below(const RowView<T, negate>& row, std::int64_t end, T limit) {
  using L = Lanes<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const auto sign = L::all(-T(0));
  const auto floor = L::all(-limit);
  auto least = L::all(infinity);
  for (std::int64_t first = 0; first < end; first += block) {
    const T* entries = row.block_at(first);
    for (int k = 0; k < block; k += L::width) {
      const auto negated = L::with_sign(row.reduced(entries, first, k), sign);
      least = L::min(L::keep_above(negated, floor), least);
    }
  }
  return -L::least(least);
}

// Too many entries are at or below `top`. Lowers it to the least value of which that is true and returns the
// greatest value of which it is not: all entries between are ties at `top`.
template <class T, bool negate>
T split_ties(const RowView<T, negate>& row, std::int64_t end, T least, T& top, std::uint64_t* masks) {
  top = largest_below(row, end, from_order<T>(to_order(top) + 1));
  // Matrices of few distinct values need one or two steps from value to value.
  for (int step = 0; step < 3; ++step) {
    const T next = largest_below(row, end, top);
    if (mark(row, end, next, masks) <= scan_capacity) return next;
    top = next;
  }
  std::int64_t low = to_order(least) - 1;
  std::int64_t high = to_order(top);
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (mark(row, end, from_order<T>(middle), masks) > scan_capacity ? high : low) = middle;
  }
  top = from_order<T>(high);
  return from_order<T>(low);
}

// Takes the entries below the ties, and of the ties those from `start` on, so that rows alike do not all list
// the same columns. Returns the ties' value.
template <class T, bool negate>
T collect_ties(const RowView<T, negate>& row, std::int64_t end, T least, T top, std::int64_t start,
               std::uint64_t* masks, Entries<T>& entries) {
  const std::int64_t words = end / block;
  const T low = split_ties(row, end, least, top, masks);
  mark(row, end, low, masks);
  collect(row, words, start, masks, entries);
  if (entries.count >= fewest_lanes / 2) return top;
  const std::int32_t strict = entries.count;
  mark(row, end, top, masks);
  for (std::int32_t k = 0; k < strict; ++k) {
    masks[entries.column[k] / block] &= ~(1ull << (entries.column[k] % block));
  }
  collect(row, words, start, masks, entries);
  return top;
}

// Sorts by counting, for each entry, those before it. Of ties those at `preferred` and after come first.
// Returns whether there were any.
template <class T>
bool place_by_rank(const Entries<T>& entries, int preferred, Scan<T>& found) {
  using L = Lanes<T>;
  constexpr int chunk = Entries<T>::padding;
  std::uint64_t taken = 0;
  bool tied = false;
  const auto place = [&](int k) {
    const auto key = L::all(entries.reduced[k]);
    int rank = 0;
    for (int part = 0; part < entries.count; part += chunk) {
      for (int at = part; at < part + chunk; at += L::width) {
        rank += __builtin_popcount(L::below(L::load(entries.reduced + at), key));
      }
    }
    for (; (taken >> rank & 1) != 0; ++rank) tied = true;
    taken |= 1ull << rank;
    found.column[rank] = entries.column[k];
    found.cost[rank] = entries.cost[k];
    found.reduced[rank] = entries.reduced[k];
  };
  for (int k = preferred; k < entries.count; ++k) place(k);
  for (int k = 0; k < preferred; ++k) place(k);
  return tied;
}

// Returns the entries, ascending by reduced cost; padded to the capacity of a record. Ties from
// column `start` on come first if the entries are in the order of their columns, else as they stand.
template <class T>
void sort_by_reduced(Entries<T>& entries, std::int64_t start, Scan<T>& found) {
  using L = Lanes<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  for (int k = 0; k < Entries<T>::padding; k += L::width) {
    L::store(entries.reduced + entries.count + k, L::all(infinity));
  }
  for (int k = 0; k < rebasin::simd::record_capacity; ++k) {
    found.column[k] = 0;
    found.cost[k] = infinity;
    found.reduced[k] = infinity;
  }
  if (place_by_rank(entries, 0, found)) {
    int preferred = 0;
    for (int k = 0; k < entries.count; ++k) preferred += entries.column[k] < start ? 1 : 0;
    if (preferred > 0) place_by_rank(entries, preferred, found);
  }
  found.count = entries.count;
  found.invalid = entries.invalid;
}

template <class T, bool negate>
void scan_row(const T* run, const T* v, std::int64_t columns, std::int64_t start, const T* guess,
              const T* next, std::uint64_t* masks, Scan<T>& found) {
  const RowView<T, negate> row(run, v, columns);
  const std::int64_t end = (columns + block - 1) / block * block;
  Entries<T> entries;
  if (guess != nullptr) {
    const std::int64_t total = take_entries(row, end, *guess, masks, next, entries);
    if (total >= fewest_entries && total <= rebasin::simd::record_capacity) {
      found.threshold = *guess;
      return sort_by_reduced(entries, start, found);
    }
    next = nullptr;
    entries.count = 0;
  }
  alignas(64) T minima[block];
  class_minima(row, end, minima);
  const T least = least_of(minima);
  found.threshold = choose_threshold(minima, least);
  if (take_entries(row, end, found.threshold, masks, next, entries) <= scan_capacity) {
    // Ties from `start` on come first, so that rows alike do not all list the same columns.
    return sort_by_reduced(entries, start, found);
  }
  if (least > -std::numeric_limits<T>::infinity()) {
    entries.count = 0;
    found.threshold = collect_ties(row, end, least, found.threshold, start, masks, entries);
  } else {
    entries.invalid = true;
  }
  sort_by_reduced(entries, 0, found);
}

template <class T>
void scan(const T* run, const T* v, T sign_mask, std::int64_t columns, std::int64_t start, const T* guess,
          const T* next, std::uint64_t* masks, Scan<T>& found) {
  if (negates(sign_mask)) {
    scan_row<T, true>(run, v, columns, start, guess, next, masks, found);
  } else {
    scan_row<T, false>(run, v, columns, start, guess, next, masks, found);
  }
}

}  // namespace
