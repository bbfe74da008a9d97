// The step of the list solver's path search over a whole row.
#pragma once

#include "simd/lists/record_search.hpp"

namespace {

template <class T>
double relax(const T* run, T sign_mask, double magic, double offset, std::int64_t columns, const double* w,
             std::int32_t row, double* open, std::int32_t* from) {
  using L = Lanes<double>;
  const auto sign = L::all(sign_mask);
  const auto shift = L::all(magic);
  const auto start = L::all(offset);
  auto least = L::all(std::numeric_limits<double>::infinity());
  const auto step = [&](const T* entries, std::int64_t j) {
    const auto cost = to_grid(L::with_sign(L::load(entries), sign), shift);
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
      tail[k] = j + k < columns ? run[j + k] : (negates(sign_mask) ? -infinity : infinity);
    }
    step(tail, j);
  }
  return L::least(least);
}

}  // namespace
