// The entries of a row at or below a threshold: marked in words of bits, or taken one by one.
#pragma once

#include "simd/row_view.hpp"

namespace {

using rebasin::simd::scan_capacity;

// Marks the entries at or below the threshold, while `next`, the row to come, is fetched towards the cache.
template <class T, bool negate>
std::int64_t mark(const RowView<T, negate>& row, std::int64_t end, T threshold, std::uint64_t* masks,
                  const T* next = nullptr) {
  using L = Lanes<T>;
  constexpr int line = 64 / static_cast<int>(sizeof(T));
  const auto limit = L::all(threshold);
  std::int64_t total = 0;
  for (std::int64_t first = 0; first < end; first += block) {
    const T* entries = row.block_at(first);
    if (next != nullptr) {
      for (int k = 0; k < block; k += line) __builtin_prefetch(next + first + k, 0, 2);
    }
    std::uint64_t bits = 0;
    for (int k = 0; k < block; k += L::width) {
      bits |= static_cast<std::uint64_t>(L::not_above(row.reduced(entries, first, k), limit)) << k;
    }
    masks[first / block] = bits;
    total += __builtin_popcountll(bits);
  }
  return total;
}

// The marked entries of a row, unsorted.
template <class T>
struct Entries {
  static constexpr int padding = 2 * Lanes<T>::width > 16 ? 2 * Lanes<T>::width : 16;
  static constexpr int room = scan_capacity + 2 * padding;
  int count = 0;
  bool invalid = false;
  std::int32_t column[room];
  T cost[room];
  T reduced[room];
};

template <class T, bool negate>
void collect_word(const RowView<T, negate>& row, std::int64_t word, std::uint64_t bits, Entries<T>& entries) {
  const T* from = row.block_at(word * block);
  for (; bits != 0 && entries.count < scan_capacity; bits &= bits - 1) {
    const int k = __builtin_ctzll(bits);
    const T cost = negate ? -from[k] : from[k];
    const T reduced = cost - row.v[word * block + k];
    entries.invalid |= !(reduced > -std::numeric_limits<T>::infinity());
    entries.cost[entries.count] = cost;
    entries.column[entries.count] = static_cast<std::int32_t>(word * block + k);
    entries.reduced[entries.count] = reduced;
    ++entries.count;
  }
}

// Takes the marked entries from column `start` on, cyclically, while there is room.
template <class T, bool negate>
void collect(const RowView<T, negate>& row, std::int64_t words, std::int64_t start,
             const std::uint64_t* masks, Entries<T>& entries) {
  const std::int64_t first_word = start / block;
  const std::uint64_t before_start = (1ull << (start % block)) - 1;
  collect_word(row, first_word, masks[first_word] & ~before_start, entries);
  for (std::int64_t word = first_word + 1; word < words; ++word)
    collect_word(row, word, masks[word], entries);
  for (std::int64_t word = 0; word < first_word; ++word) collect_word(row, word, masks[word], entries);
  collect_word(row, first_word, masks[first_word] & before_start, entries);
}

// Takes the entries at or below the threshold, ascending by column, without a branch on where they are: for
// rows so short that hardly a block has none. Returns how many there are, which may be more than there is
// room for.
template <class T, bool negate>
std::int64_t pack_entries(const RowView<T, negate>& row, std::int64_t end, T threshold, const T* next,
                          Entries<T>& entries) {
  using L = Lanes<T>;
  constexpr int line = 64 / static_cast<int>(sizeof(T));
  const auto limit = L::all(threshold);
  const auto sign = L::all(negate ? -T(0) : T(0));
  std::int64_t total = 0;
  for (std::int64_t first = 0; first < end; first += block) {
    const T* from = row.block_at(first);
    if (next != nullptr) {
      for (int k = 0; k < block; k += line) __builtin_prefetch(next + first + k, 0, 2);
    }
    for (int k = 0; k < block; k += L::width) {
      const auto cost = L::load(from + k);
      const auto reduced = row.reduced(from, first, k);
      const std::uint32_t bits = L::not_above(reduced, limit);
      const std::int64_t at = total < scan_capacity ? total : scan_capacity;
      L::pack(entries.cost + at, negate ? L::with_sign(cost, sign) : cost, bits);
      L::pack(entries.reduced + at, reduced, bits);
      total += append_columns(entries.column + at, static_cast<std::int32_t>(first) + k, bits);
    }
  }
  entries.count = static_cast<int>(total < scan_capacity ? total : scan_capacity);
  L::store(entries.reduced + entries.count, L::all(T(0)));
  std::uint32_t invalid = 0;
  for (int k = 0; k < entries.count; k += L::width) {
    invalid |= L::not_above(L::load(entries.reduced + k), L::all(-std::numeric_limits<T>::infinity()));
  }
  entries.invalid = invalid != 0;
  return total;
}

// Takes the entries at or below the threshold, ascending by column, if there is room for all; returns how
// many there are.
template <class T, bool negate>
std::int64_t take_entries(const RowView<T, negate>& row, std::int64_t end, T threshold, std::uint64_t* masks,
                          const T* next, Entries<T>& entries) {
  constexpr std::int64_t short_row = 256;
  if constexpr (Lanes<T>::can_pack) {
    if (end <= short_row) return pack_entries(row, end, threshold, next, entries);
  }
  const std::int64_t total = mark(row, end, threshold, masks, next);
  if (total <= scan_capacity) collect(row, end / block, 0, masks, entries);
  return total;
}

}  // namespace
