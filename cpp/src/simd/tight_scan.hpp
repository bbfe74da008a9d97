// One row's least reduced cost in double, and every column where it is met.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

template <class T>
rebasin::simd::Tight mark_tight(const T* run, T flip, std::int64_t columns, const double* v,
                                std::uint64_t* masks) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  using rebasin::simd::block;
  const auto sign = L::all(static_cast<double>(flip));
  const std::int64_t full = columns / L::width * L::width;
  T tail[L::width];
  double tail_v[L::width];
  for (int k = 0; k < L::width; ++k) {
    const bool inside = full + k < columns;
    tail[k] = inside ? run[full + k] : T(negates(flip) ? -infinity : infinity);
    tail_v[k] = inside ? v[full + k] : 0.0;
  }
  auto low = L::all(infinity);
  std::uint32_t invalid = 0;
  const auto lower = [&](const T* entries, const double* duals) {
    const auto reduced = L::sub(L::flip(L::load(entries), sign), L::load(duals));
    invalid |= L::not_above(reduced, L::all(-infinity));
    low = L::min(reduced, low);
  };
  for (std::int64_t j = 0; j < full; j += L::width) lower(run + j, v + j);
  if (full < columns) lower(tail, tail_v);
  rebasin::simd::Tight found{L::least(low), false, invalid != 0};
  const auto least = L::all(found.least);
  const auto zero = L::all(0.0);
  std::uint32_t below = 0;
  const auto mark = [&](const T* entries, const double* duals) -> std::uint64_t {
    const auto cost = L::flip(L::load(entries), sign);
    const auto dual = L::load(duals);
    const auto reduced = L::sub(cost, dual);
    const std::uint32_t here = L::equal(reduced, least);
    // What the subtraction lost (Knuth).
    const auto dual_part = L::sub(cost, reduced);
    const auto cost_part = L::add(reduced, dual_part);
    const auto lost = L::add(L::sub(cost, cost_part), L::sub(dual_part, dual));
    below |= here & L::below(lost, zero);
    return here;
  };
  for (std::int64_t word = 0; word * block < columns; ++word) masks[word] = 0;
  for (std::int64_t j = 0; j < full; j += L::width) masks[j / block] |= mark(run + j, v + j) << (j % block);
  if (full < columns) masks[full / block] |= mark(tail, tail_v) << (full % block);
  found.below = below != 0;
  return found;
}

}  // namespace
