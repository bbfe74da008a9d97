// One row's least reduced cost in double, and every column where it is met.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

// Whether some of the entries whose reduced cost rounds to `least` lies below it: by the bits that the
// subtraction lost (Knuth) is negative. Returns the lanes that round to it.
[[gnu::always_inline]] inline std::uint32_t meet(Lanes<double>::Vector cost, Lanes<double>::Vector dual,
                                                 Lanes<double>::Vector least, std::uint32_t& below) {
  using L = Lanes<double>;
  const auto reduced = L::sub(cost, dual);
  const std::uint32_t here = L::equal(reduced, least);
  const auto dual_part = L::sub(cost, reduced);
  const auto cost_part = L::add(reduced, dual_part);
  const auto lost = L::add(L::sub(cost, cost_part), L::sub(dual_part, dual));
  below |= here & L::below(lost, L::all(0.0));
  return here;
}

// The entries of a row behind the last whole vector, padded with +inf as counted, at a dual of 0.
template <class T>
struct RowTail {
  T cost[Lanes<double>::width];
  double dual[Lanes<double>::width];

  RowTail(const T* run, T sign_mask, std::int64_t columns, const double* v) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const std::int64_t full = columns / Lanes<double>::width * Lanes<double>::width;
    for (int k = 0; k < Lanes<double>::width; ++k) {
      const bool inside = full + k < columns;
      cost[k] = inside ? run[full + k] : (negates(sign_mask) ? -infinity : infinity);
      dual[k] = inside ? v[full + k] : 0.0;
    }
  }
};

template <class T, bool negate>
rebasin::simd::Tight row_least_signed(const T* run, T sign_mask, std::int64_t columns, const double* v) {
  using L = Lanes<double>;
  constexpr int chains = 4;  // a step waits for the one before
  constexpr std::int64_t group = chains * L::width;
  const auto sign = L::all(static_cast<double>(sign_mask));
  const auto reduced = [](const T* entries, const double* duals) {
    return L::template reduced<negate>(L::load(entries), L::load(duals));
  };
  const std::int64_t full = columns / L::width * L::width;
  const std::int64_t grouped = columns / group * group;
  const RowTail<T> tail(run, sign_mask, columns, v);
  typename L::Vector low[chains];
  low[0] = reduced(tail.cost, tail.dual);
  for (int k = 1; k < chains; ++k) low[k] = low[0];
  for (std::int64_t j = 0; j < grouped; j += group) {
    for (int k = 0; k < chains; ++k) {
      low[k] = L::min(reduced(run + j + k * L::width, v + j + k * L::width), low[k]);
    }
  }
  for (std::int64_t j = grouped; j < full; j += L::width) low[0] = L::min(reduced(run + j, v + j), low[0]);
  const double lowest = L::least(L::min(L::min(low[0], low[1]), L::min(low[2], low[3])));
  const auto least = L::all(lowest);
  std::uint32_t below = 0;
  const auto compare_exactly = [&](const T* entries, const double* duals) {
    meet(L::with_sign(L::load(entries), sign), L::load(duals), least, below);
  };
  for (std::int64_t j = 0; j < grouped; j += group) {
    std::uint32_t met = 0;
    for (int k = 0; k < chains; ++k) {
      met |= L::equal(reduced(run + j + k * L::width, v + j + k * L::width), least);
    }
    if (met == 0) continue;
    for (int k = 0; k < chains; ++k) compare_exactly(run + j + k * L::width, v + j + k * L::width);
  }
  for (std::int64_t j = grouped; j < full; j += L::width) compare_exactly(run + j, v + j);
  compare_exactly(tail.cost, tail.dual);
  return {lowest, below != 0, false};
}

template <class T>
rebasin::simd::Tight row_least(const T* run, T sign_mask, std::int64_t columns, const double* v) {
  return negates(sign_mask) ? row_least_signed<T, true>(run, sign_mask, columns, v)
                            : row_least_signed<T, false>(run, sign_mask, columns, v);
}

template <class T>
rebasin::simd::Tight mark_tight(const T* run, T sign_mask, std::int64_t columns, const double* v,
                                std::uint64_t* masks) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  using rebasin::simd::block;
  const auto sign = L::all(static_cast<double>(sign_mask));
  const std::int64_t full = columns / L::width * L::width;
  const RowTail<T> tail(run, sign_mask, columns, v);
  auto low = L::all(infinity);
  std::uint32_t invalid = 0;
  const auto lower = [&](const T* entries, const double* duals) {
    const auto reduced = L::sub(L::with_sign(L::load(entries), sign), L::load(duals));
    invalid |= L::not_above(reduced, L::all(-infinity));
    low = L::min(reduced, low);
  };
  for (std::int64_t j = 0; j < full; j += L::width) lower(run + j, v + j);
  if (full < columns) lower(tail.cost, tail.dual);
  rebasin::simd::Tight found{L::least(low), false, invalid != 0};
  const auto least = L::all(found.least);
  std::uint32_t below = 0;
  const auto mark = [&](const T* entries, const double* duals) -> std::uint64_t {
    return meet(L::with_sign(L::load(entries), sign), L::load(duals), least, below);
  };
  for (std::int64_t word = 0; word * block < columns; ++word) masks[word] = 0;
  for (std::int64_t j = 0; j < full; j += L::width) masks[j / block] |= mark(run + j, v + j) << (j % block);
  if (full < columns) masks[full / block] |= mark(tail.cost, tail.dual) << (full % block);
  found.below = below != 0;
  return found;
}

}  // namespace
