// Loops over a row of integer costs, compiled once per instruction-set level.
#pragma once

#include <cstdint>

namespace rebasin::k_best {

// `count` is a multiple of `lane`; rows are padded with forbidden entries.
constexpr std::int64_t lane = 8;

struct Kernels {
  const char* level;

  // open[j] = min(open[j], cost[j] - v[j] + base); returns the least open[j].
  std::int64_t (*relax)(const std::int64_t* cost, const std::int64_t* v, std::int64_t base,
                        std::int64_t* open, std::int64_t count);

  // The first j with open[j] == value; there is one.
  std::int64_t (*find)(const std::int64_t* open, std::int64_t value);

  // minima[j] = min(minima[j], cost[j] - v[j] - u); returns the least cost[j] - v[j] - u.
  std::int64_t (*reduce)(const std::int64_t* cost, const std::int64_t* v, std::int64_t u,
                         std::int64_t* minima, std::int64_t count);
};

// The table of the level that rebasin::simd_level() names.
const Kernels& kernels();

}  // namespace rebasin::k_best
