// The range of a row's costs.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

template <class T>
rebasin::simd::Extremes row_extremes(const T* run, T sign_mask, std::int64_t columns, double guess) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr T forbidden = std::numeric_limits<T>::infinity();
  const auto sign = L::all(static_cast<double>(sign_mask));
  const auto lowest = L::all(-infinity);
  const auto top = L::all(infinity);
  const auto guessed = L::all(guess);
  auto least = top;
  auto largest = lowest;
  auto second = lowest;
  std::uint32_t invalid = 0;
  const auto take = [&](L::Vector entries) {
    const auto cost = L::with_sign(entries, sign);
    invalid |= L::not_above(cost, lowest);
    least = L::min(cost, least);
    largest = L::max(L::blend(lowest, cost, L::below(cost, top)), largest);
    second = L::max(L::blend(lowest, cost, L::below(cost, guessed)), second);
  };
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) take(L::load(run + j));
  if (j < columns) {
    take(L::load_first(run + j, static_cast<int>(columns - j), negates(sign_mask) ? -forbidden : forbidden));
  }
  const auto greatest = [](L::Vector a) { return -L::least(L::with_sign(a, L::all(-0.0))); };
  return {L::least(least), greatest(largest), greatest(second), invalid != 0};
}

}  // namespace
