// A threshold that about 14 to 20 of a row's reduced costs reach, from the least of each class of columns.
#pragma once

#include "simd/row_view.hpp"

namespace {

inline constexpr int fewest_lanes = 11;
inline constexpr int most_lanes = 16;

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
    const auto negated = L::with_sign(L::load(values + k), L::all(-T(0)));
    least = L::min(L::keep_above(negated, L::all(-infinity)), least);
  }
  return -L::least(least);
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
    // The minima are densest at the high end, so the first guess is low. Halving each avoids overflow.
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

}  // namespace
