// The best two entries of a candidate list at the present duals.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

// Rounds to the grid: adding 1.5 * 2^52 steps leaves no bits below one step.
inline Lanes<double>::Vector to_grid(Lanes<double>::Vector x, Lanes<double>::Vector magic) {
  return Lanes<double>::sub(Lanes<double>::add(x, magic), magic);
}

template <class T>
rebasin::simd::TwoBest two_best(const rebasin::simd::Record<T>& record, const double* v, double magic) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto shift = L::all(magic);
  rebasin::simd::TwoBest found{infinity, infinity, 0};
  for (int group = 0; group < rebasin::simd::record_groups; ++group) {
    if (record.group_bound[group] >= found.second) break;
    for (int k = group * 8; k < group * 8 + 8; k += L::width) {
      const auto reduced = L::sub(to_grid(L::load(record.cost + k), shift), L::gather(v, record.column + k));
      double least;
      double next;
      L::two_least(reduced, L::all(infinity), least, next);
      if (least >= found.second) continue;
      if (least < found.best) {
        found.second = next < found.best ? next : found.best;
        found.best = least;
        found.at = k + __builtin_ctz(L::equal(reduced, L::all(least)));
      } else {
        found.second = least;
      }
    }
  }
  return found;
}

}  // namespace
