// One row's smallest reduced costs, in one read from memory and one or two from the first-level cache.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

using rebasin::simd::block;
using rebasin::simd::Scan;
using rebasin::simd::scan_capacity;

inline constexpr int fewest_lanes = 11;
inline constexpr int most_lanes = 16;
inline constexpr int fewest_entries = 9;  // of a threshold guessed

template <class T, bool negate>
struct RowView {
  using L = Lanes<T>;
  const T* run;
  const T* v;
  std::int64_t full;  // columns in whole blocks
  T tail[block];      // the rest, padded with what counts as +inf

  RowView(const T* run_in, const T* v_in, std::int64_t columns)
      : run(run_in), v(v_in), full(columns / block * block) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    if (full == columns) return;
    const T padding = negate ? -infinity : infinity;
    for (int k = 0; k < block; ++k) tail[k] = full + k < columns ? run[full + k] : padding;
  }

  const T* block_at(std::int64_t first) const { return first < full ? run + first : tail; }

  typename L::Vector reduced(const T* entries, std::int64_t first, int k) const {
    return L::template reduced<negate>(L::load(entries + k), L::load(v + first + k));
  }
};

// The least reduced cost of each residue class of columns modulo `block`.
template <class T, bool negate>
void class_minima(const RowView<T, negate>& row, std::int64_t end, T* minima) {
  using L = Lanes<T>;
  constexpr int registers = block / L::width;
  typename L::Vector least[registers];
  for (int r = 0; r < registers; ++r) least[r] = L::all(std::numeric_limits<T>::infinity());
  for (std::int64_t first = 0; first < end; first += block) {
    const T* entries = row.block_at(first);
    for (int r = 0; r < registers; ++r) {
      least[r] = L::min(row.reduced(entries, first, r * L::width), least[r]);
    }
  }
  for (int r = 0; r < registers; ++r) L::store(minima + r * L::width, least[r]);
}

template <class T>
int count_not_above(const T* values, T threshold) {
  using L = Lanes<T>;
  int count = 0;
  for (int k = 0; k < block; k += L::width) {
    count += __builtin_popcount(L::not_above(L::load(values + k), L::all(threshold)));
  }
  return count;
}

// The value of the given rank, by selection; for the rare row whose range no bisection of a few steps splits.
template <class T>
T smallest(const T* values, int rank) {
  T left[block];
  for (int k = 0; k < block; ++k) left[k] = values[k];
  for (int taken = 0;; ++taken) {
    int least = taken;
    for (int k = taken + 1; k < block; ++k) least = left[k] < left[least] ? k : least;
    const T value = left[least];
    if (taken == rank) return value;
    left[least] = left[taken];
  }
}

template <class T>
T least_of(const T* values) {
  using L = Lanes<T>;
  auto least = L::load(values);
  for (int k = L::width; k < block; k += L::width) least = L::min(L::load(values + k), least);
  return L::least(least);
}

template <class T>
T largest_finite(const T* values) {
  using L = Lanes<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  auto least = L::all(infinity);
  for (int k = 0; k < block; k += L::width) {
    const auto negated = L::flip(L::load(values + k), L::all(-T(0)));
    least = L::min(L::keep_above(negated, L::all(-infinity)), least);
  }
  return -L::least(least);
}

// Values of T in order, as integers.
template <class T>
std::int64_t to_order(T x);
template <class T>
T from_order(std::int64_t order);

// A value with about 14 to 20 of the class minima at or below it: then about as many entries of a row are,
// since few classes hold two of them.
template <class T>
T choose_threshold(const T* minima, T least) {
  constexpr T largest = std::numeric_limits<T>::max();
  if (count_not_above(minima, largest) <= most_lanes) return largest;
  if (count_not_above(minima, least) >= fewest_lanes) return least;
  T low = least;
  T high = largest_finite(minima);
  for (int step = 0; step < 10; ++step) {
    // The minima crowd towards the high end, so the first guess leans low. Halving each avoids overflow.
    // Where they spread over many magnitudes halving the range finds none, halving the exponent does; where
    // one lies far below the rest it is the other way round.
    const bool by_exponent = step >= 3 && step % 2 == 1;
    const T middle = by_exponent ? from_order<T>(to_order(low) / 2 + to_order(high) / 2)
                     : step == 0 ? low * T(0.625) + high * T(0.375)
                                 : low * T(0.5) + high * T(0.5);
    const int count = count_not_above(minima, middle);
    if (count >= fewest_lanes && count <= most_lanes) return middle;
    (count < fewest_lanes ? low : high) = middle;
  }
  return smallest(minima, fewest_lanes);
}

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

// What a row's marks lead to, unsorted.
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
  const std::int64_t turn = start / block;
  const std::uint64_t before_start = (1ull << (start % block)) - 1;
  collect_word(row, turn, masks[turn] & ~before_start, entries);
  for (std::int64_t word = turn + 1; word < words; ++word) collect_word(row, word, masks[word], entries);
  for (std::int64_t word = 0; word < turn; ++word) collect_word(row, word, masks[word], entries);
  collect_word(row, turn, masks[turn] & before_start, entries);
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
      L::pack(entries.cost + at, negate ? L::flip(cost, sign) : cost, bits);
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
      const auto negated = L::flip(row.reduced(entries, first, k), sign);
      least = L::min(L::keep_above(negated, floor), least);
    }
  }
  return -L::least(least);
}

template <class T>
std::int64_t to_order(T x) {
  using I = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  I image;
  __builtin_memcpy(&image, &x, sizeof x);
  return image >= 0 ? image : std::numeric_limits<I>::min() - image;
}

template <class T>
T from_order(std::int64_t order) {
  using I = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const auto wanted = static_cast<I>(order);
  const I image = wanted >= 0 ? wanted : std::numeric_limits<I>::min() - wanted;
  T x;
  __builtin_memcpy(&x, &image, sizeof x);
  return x;
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

// Takes the entries below the ties, and of the ties those from `start` on, so that rows alike do not all want
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

// Sorts by counting, for each entry, those before it. Of ties those at `turn` and after come first. Returns
// whether there were any.
template <class T>
bool place_by_rank(const Entries<T>& entries, int turn, Scan<T>& found) {
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
  for (int k = turn; k < entries.count; ++k) place(k);
  for (int k = 0; k < turn; ++k) place(k);
  return tied;
}

// Hands back the entries, ascending by reduced cost; pads what a record would hold beyond them. Ties from
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
    int turn = 0;
    for (int k = 0; k < entries.count; ++k) turn += entries.column[k] < start ? 1 : 0;
    if (turn > 0) place_by_rank(entries, turn, found);
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
    // Ties from `start` on come first, so that rows alike do not all want the same columns.
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
void scan(const T* run, const T* v, T flip, std::int64_t columns, std::int64_t start, const T* guess,
          const T* next, std::uint64_t* masks, Scan<T>& found) {
  if (negates(flip)) {
    scan_row<T, true>(run, v, columns, start, guess, next, masks, found);
  } else {
    scan_row<T, false>(run, v, columns, start, guess, next, masks, found);
  }
}

}  // namespace
