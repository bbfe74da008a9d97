// Loops over a row of integer costs, for the k best assignments. Plain, for the compiler to vectorise.
#pragma once

#include <cstdint>
#include <limits>

#include "simd/kernels.hpp"

namespace {

std::int64_t relax_integers(const std::int64_t* __restrict cost, const std::int64_t* __restrict v,
                            std::int64_t base, std::int64_t* __restrict open, std::int64_t count) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t through = cost[j] - v[j] + base;
    const std::int64_t now = through < open[j] ? through : open[j];
    open[j] = now;
    least = now < least ? now : least;
  }
  return least;
}

std::int64_t find_integer(const std::int64_t* open, std::int64_t value) {
  constexpr std::int64_t lanes = rebasin::simd::integer_lanes;
  for (std::int64_t j = 0;; j += lanes) {
    bool hit = false;
    for (std::int64_t k = 0; k < lanes; ++k) hit |= open[j + k] == value;
    if (!hit) continue;
    while (open[j] != value) ++j;
    return j;
  }
}

std::int64_t reduce_integers(const std::int64_t* __restrict cost, const std::int64_t* __restrict v,
                             std::int64_t u, std::int64_t* __restrict minima, std::int64_t count) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t reduced = cost[j] - v[j] - u;
    minima[j] = reduced < minima[j] ? reduced : minima[j];
    least = reduced < least ? reduced : least;
  }
  return least;
}

}  // namespace
