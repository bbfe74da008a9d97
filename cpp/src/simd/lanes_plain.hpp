// Lanes as plain arrays. Included by lanes.hpp only.
#pragma once

#include <cstdint>
#include <limits>

namespace {

// Compilers turn the loops into vectors of the machine's baseline (SSE2, NEON).
template <class T>
struct Lanes {
  static constexpr int width = 4;
  static constexpr bool can_pack = false;
  struct Vector {
    T at[width];
  };
  template <class F>
  static Vector map(F f) {
    Vector r;
    for (int k = 0; k < width; ++k) r.at[k] = f(k);
    return r;
  }
  template <class F>
  static std::uint32_t test(F f) {
    std::uint32_t bits = 0;
    for (int k = 0; k < width; ++k) bits |= static_cast<std::uint32_t>(f(k)) << k;
    return bits;
  }
  template <class S>
  static Vector load(const S* p) {
    return map([&](int k) { return static_cast<T>(p[k]); });
  }
  // The first `count` < width entries, then `fill`.
  template <class S>
  static Vector load_first(const S* p, int count, S fill) {
    return map([&](int k) { return static_cast<T>(k < count ? p[k] : fill); });
  }
  static void store(T* p, Vector a) {
    for (int k = 0; k < width; ++k) p[k] = a.at[k];
  }
  static Vector all(T a) {
    return map([&](int) { return a; });
  }
  static Vector add(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] + b.at[k]; });
  }
  static Vector sub(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] - b.at[k]; });
  }
  static Vector mul(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] * b.at[k]; });
  }
  // Folds the lanes' best two into one pair, best <= second.
  static void two_least(Vector best, Vector second, T& least, T& next) {
    least = best.at[0];
    next = second.at[0];
    for (int k = 1; k < width; ++k) {
      const T other = best.at[k] > least ? best.at[k] : least;
      next = other < next ? other : next;
      next = second.at[k] < next ? second.at[k] : next;
      least = best.at[k] < least ? best.at[k] : least;
    }
  }
  // `sign` is 0.0 or -0.0 in every lane.
  static Vector with_sign(Vector a, Vector sign) {
    const bool negate = negates(sign.at[0]);
    return map([&](int k) { return negate ? -a.at[k] : a.at[k]; });
  }
  static Vector min(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] < b.at[k] ? a.at[k] : b.at[k]; });
  }
  template <bool negate>
  static Vector reduced(Vector a, Vector b) {
    return map([&](int k) { return (negate ? -a.at[k] : a.at[k]) - b.at[k]; });
  }
  static Vector max(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] > b.at[k] ? a.at[k] : b.at[k]; });
  }
  static Vector gather(const T* base, const std::int32_t* index) {
    return map([&](int k) { return base[index[k]]; });
  }
  static std::uint32_t not_above(Vector a, Vector b) {
    return test([&](int k) { return !(a.at[k] > b.at[k]); });
  }
  static Vector keep_above(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] > b.at[k] ? a.at[k] : std::numeric_limits<T>::infinity(); });
  }
  static std::uint32_t below(Vector a, Vector b) {
    return test([&](int k) { return a.at[k] < b.at[k]; });
  }
  static std::uint32_t equal(Vector a, Vector b) {
    return test([&](int k) { return a.at[k] == b.at[k]; });
  }
  static T least(Vector a) {
    T r = a.at[0];
    for (int k = 1; k < width; ++k) r = a.at[k] < r ? a.at[k] : r;
    return r;
  }
  static Vector blend(Vector a, Vector b, std::uint32_t bits) {
    return map([&](int k) { return (bits >> k & 1u) != 0 ? b.at[k] : a.at[k]; });
  }
  static void store_bits(std::int32_t* p, std::int32_t value, std::uint32_t bits) {
    for (int k = 0; k < width; ++k) {
      if ((bits >> k & 1u) != 0) p[k] = value;
    }
  }
};

}  // namespace
