// Sparse costs as the stages read them: compressed rows of fixed-point numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace rebasin::sparse {

// A cost or dual as a multiple of a power of two, so that sums, differences and comparisons are exact:
// matched entries are exactly tight and nothing drifts.
using Fixed = std::int64_t;

// Beyond +-limit a dual is refused, so that sums of a few of them cannot overflow.
constexpr Fixed fixed_limit = Fixed{1} << 60;
constexpr Fixed fixed_infinity = Fixed{1} << 62;

// Minimised; rows <= columns, and every row is to be assigned.
struct Graph {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<std::int64_t> start;         // rows + 1
  std::unique_ptr<std::int32_t[]> column;  // one an entry
  std::unique_ptr<Fixed[]> cost;
  Fixed unit = 1;  // a power of two that divides every cost

  std::int64_t entries() const { return start.back(); }
  bool square() const { return rows == columns; }
};

}  // namespace rebasin::sparse
