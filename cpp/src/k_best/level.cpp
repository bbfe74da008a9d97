// Compiled once per instruction-set level; REBASIN_SIMD_LEVEL names the level and its table. Plain loops,
// which compilers turn into vector code.
#include <algorithm>
#include <limits>

#include "k_best/kernels.hpp"
#include "simd/level_table.hpp"

namespace rebasin::k_best {
namespace {

std::int64_t relax(const std::int64_t* __restrict cost, const std::int64_t* __restrict v, std::int64_t base,
                   std::int64_t* __restrict open, std::int64_t count) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t through = cost[j] - v[j] + base;
    const std::int64_t now = through < open[j] ? through : open[j];
    open[j] = now;
    least = now < least ? now : least;
  }
  return least;
}

std::int64_t find(const std::int64_t* open, std::int64_t value) {
  for (std::int64_t j = 0;; j += lane) {
    bool hit = false;
    for (std::int64_t k = 0; k < lane; ++k) hit |= open[j + k] == value;
    if (!hit) continue;
    while (open[j] != value) ++j;
    return j;
  }
}

std::int64_t reduce(const std::int64_t* __restrict cost, const std::int64_t* __restrict v, std::int64_t u,
                    std::int64_t* __restrict minima, std::int64_t count) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t reduced = cost[j] - v[j] - u;
    minima[j] = reduced < minima[j] ? reduced : minima[j];
    least = reduced < least ? reduced : least;
  }
  return least;
}

}  // namespace

extern const Kernels REBASIN_LEVEL_TABLE;
const Kernels REBASIN_LEVEL_TABLE = {REBASIN_LEVEL_NAME, relax, find, reduce};

}  // namespace rebasin::k_best
