// One row's smallest reduced costs, in one read from memory and one or two from the first-level cache.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

using rebasin::simd::block;
using rebasin::simd::Scan;
using rebasin::simd::scan_capacity;

inline constexpr int fewest_lanes = 16;
inline constexpr int most_lanes = 22;

template <class T>
struct RowView {
  using L = Lanes<T>;
  const T* run;
  const T* v;
  typename L::Vector flip;
  std::int64_t full;  // columns in whole blocks
  T tail[block];      // the rest, padded with what counts as +inf

  RowView(const T* run_in, const T* v_in, T flip_in, std::int64_t columns)
      : run(run_in), v(v_in), flip(L::all(flip_in)), full(columns / block * block) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const T padding = negates(flip_in) ? -infinity : infinity;
    for (int k = 0; k < block; ++k) tail[k] = full + k < columns ? run[full + k] : padding;
  }

  const T* block_at(std::int64_t first) const { return first < full ? run + first : tail; }

  typename L::Vector reduced(const T* entries, std::int64_t first, int k) const {
    return L::sub(L::flip(L::load(entries + k), flip), L::load(v + first + k));
  }
};

// The least reduced cost of each residue class of columns modulo `block`.
template <class T>
void class_minima(const RowView<T>& row, std::int64_t end, T* minima) {
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

// A value with about 16 to 22 of the class minima at or below it: then about as many entries of a row are,
// since few classes hold two of them.
template <class T>
T choose_threshold(const T* minima) {
  constexpr T largest = std::numeric_limits<T>::max();
  if (count_not_above(minima, largest) <= most_lanes) return largest;
  T low = largest;
  T high = -largest;
  for (int k = 0; k < block; ++k) {
    low = minima[k] < low ? minima[k] : low;
    high = minima[k] > high && minima[k] <= largest ? minima[k] : high;
  }
  for (int step = 0; step < 8; ++step) {
    // The minima crowd towards the high end, so the first guess leans low. Halving each avoids overflow.
    const T middle = step == 0 ? low * T(0.625) + high * T(0.375) : low * T(0.5) + high * T(0.5);
    const int count = count_not_above(minima, middle);
    if (count >= fewest_lanes && count <= most_lanes) return middle;
    (count < fewest_lanes ? low : high) = middle;
  }
  return smallest(minima, fewest_lanes);
}

template <class T>
std::int64_t mark(const RowView<T>& row, std::int64_t end, T threshold, std::uint64_t* masks) {
  using L = Lanes<T>;
  const auto limit = L::all(threshold);
  std::int64_t total = 0;
  for (std::int64_t first = 0; first < end; first += block) {
    const T* entries = row.block_at(first);
    std::uint64_t bits = 0;
    for (int k = 0; k < block; k += L::width) {
      bits |= static_cast<std::uint64_t>(L::not_above(row.reduced(entries, first, k), limit)) << k;
    }
    masks[first / block] = bits;
    total += __builtin_popcountll(bits);
  }
  return total;
}

template <class T>
void collect(const RowView<T>& row, std::int64_t first_word, std::int64_t last_word,
             const std::uint64_t* masks, T flip, Scan<T>& found) {
  const bool negate = negates(flip);
  for (std::int64_t word = first_word; word < last_word; ++word) {
    const T* entries = row.block_at(word * block);
    for (std::uint64_t bits = masks[word]; bits != 0 && found.count < scan_capacity; bits &= bits - 1) {
      const int k = __builtin_ctzll(bits);
      const T cost = negate ? -entries[k] : entries[k];
      const T reduced = cost - row.v[word * block + k];
      found.invalid |= !(reduced > -std::numeric_limits<T>::infinity());
      found.cost[found.count] = cost;
      found.column[found.count] = static_cast<std::int32_t>(word * block + k);
      found.reduced[found.count] = reduced;
      ++found.count;
    }
  }
}

// The largest reduced cost below `limit`, or -inf.
template <class T>
T largest_below(const RowView<T>& row, std::int64_t end, T limit) {
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
  T lanes[L::width];
  L::store(lanes, least);
  T result = infinity;
  for (const T value : lanes) result = value < result ? value : result;
  return -result;
}

// Values of T in order, as integers.
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
template <class T>
T split_ties(const RowView<T>& row, std::int64_t end, T least, T& top, std::uint64_t* masks) {
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
// the same columns.
template <class T>
void scan_ties(const RowView<T>& row, std::int64_t end, T least, T top, T flip, std::int64_t start,
               std::uint64_t* masks, Scan<T>& found) {
  const std::int64_t words = end / block;
  const T low = split_ties(row, end, least, top, masks);
  mark(row, end, low, masks);
  collect(row, 0, words, masks, flip, found);
  found.threshold = top;
  if (found.count >= fewest_lanes / 2) return;
  const std::int32_t strict = found.count;
  const std::int64_t turn = start / block % words;
  mark(row, end, top, masks);
  for (std::int32_t k = 0; k < strict; ++k)
    masks[found.column[k] / block] &= ~(1ull << (found.column[k] % block));
  collect(row, turn, words, masks, flip, found);
  collect(row, 0, turn, masks, flip, found);
}

// Sorts by counting, for each entry, those that come before it.
template <class T>
void sort_by_reduced(Scan<T>& found) {
  using L = Lanes<T>;
  const int count = found.count;
  std::int32_t column[scan_capacity];
  T cost[scan_capacity];
  __builtin_memcpy(column, found.column, static_cast<unsigned>(count) * sizeof *column);
  __builtin_memcpy(cost, found.cost, static_cast<unsigned>(count) * sizeof *cost);
  alignas(64) T keys[scan_capacity];
  const int padded = (count + L::width - 1) / L::width * L::width;
  for (int k = 0; k < padded; ++k)
    keys[k] = k < count ? found.reduced[k] : std::numeric_limits<T>::infinity();
  for (int k = 0; k < count; ++k) {
    const auto key = L::all(keys[k]);
    std::uint64_t smaller = 0;
    std::uint64_t not_larger = 0;
    for (int part = 0; part < padded; part += L::width) {
      const auto others = L::load(keys + part);
      smaller |= static_cast<std::uint64_t>(L::below(others, key)) << part;
      not_larger |= static_cast<std::uint64_t>(L::not_above(others, key)) << part;
    }
    const std::uint64_t earlier = (1ull << k) - 1;
    const int rank = __builtin_popcountll(smaller | (not_larger & earlier));
    found.column[rank] = column[k];
    found.cost[rank] = cost[k];
    found.reduced[rank] = keys[k];
  }
}

template <class T>
void scan(const T* run, const T* v, T flip, std::int64_t columns, std::int64_t start, std::uint64_t* masks,
          Scan<T>& found) {
  const RowView<T> row(run, v, flip, columns);
  const std::int64_t end = (columns + block - 1) / block * block;
  alignas(64) T minima[block];
  class_minima(row, end, minima);
  found.count = 0;
  found.invalid = false;
  found.threshold = choose_threshold(minima);
  if (mark(row, end, found.threshold, masks) <= scan_capacity) {
    collect(row, 0, end / block, masks, flip, found);
    sort_by_reduced(found);
    return;
  }
  T least = minima[0];
  for (int k = 1; k < block; ++k) least = minima[k] < least ? minima[k] : least;
  if (least > -std::numeric_limits<T>::infinity()) {
    scan_ties(row, end, least, found.threshold, flip, start, masks, found);
    sort_by_reduced(found);
  } else {
    found.invalid = true;
  }
}

}  // namespace
