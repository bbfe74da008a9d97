// Whole-row kernels of the dense search.
#pragma once

#include "simd/lists/record_search.hpp"

namespace {

template <class T>
rebasin::simd::Widened widen(const T* run, T flip, std::int64_t columns, double* out) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto sign = L::all(flip);
  const auto huge = L::all(rebasin::simd::huge);
  std::uint32_t invalid = 0;
  std::uint32_t beyond = 0;
  const auto step = [&](const T* entries, double* to) {
    const auto cost = L::flip(L::load(entries), sign);
    invalid |= L::not_above(cost, L::all(-infinity));
    if (sizeof(T) == 8) {
      beyond |= L::below(cost, L::all(-rebasin::simd::huge));
      beyond |= L::below(huge, cost) & L::below(cost, L::all(infinity));
    }
    L::store(to, cost);
  };
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) step(run + j, out + j);
  if (j < columns) {
    T tail[L::width] = {};
    double widened[L::width];
    for (std::int64_t k = j; k < columns; ++k) tail[k - j] = run[k];
    step(tail, widened);
    for (std::int64_t k = j; k < columns; ++k) out[k] = widened[k - j];
  }
  return {invalid != 0, beyond != 0};
}

template <class T>
double relax(const T* run, T flip, double magic, double offset, std::int64_t columns, const double* w,
             std::int32_t row, double* open, std::int32_t* from) {
  using L = Lanes<double>;
  const auto sign = L::all(flip);
  const auto shift = L::all(magic);
  const auto start = L::all(offset);
  auto least = L::all(std::numeric_limits<double>::infinity());
  const auto step = [&](const T* entries, std::int64_t j) {
    const auto cost = to_grid(L::flip(L::load(entries), sign), shift);
    const auto reached = L::add(start, L::sub(cost, L::load(w + j)));
    const auto before = L::load(open + j);
    const std::uint32_t nearer = L::below(reached, before);
    const auto now = L::min(reached, before);
    L::store(open + j, now);
    if (nearer != 0) L::store_bits(from + j, row, nearer);
    least = L::min(now, least);
  };
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) step(run + j, j);
  if (j < columns) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    T tail[L::width];
    for (int k = 0; k < L::width; ++k) {
      tail[k] = j + k < columns ? run[j + k] : (negates(flip) ? -infinity : infinity);
    }
    step(tail, j);
  }
  return L::least(least);
}

}  // namespace
