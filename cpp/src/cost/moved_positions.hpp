// The positions of an axis at which a permutation has changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rebasin {

// The same entries of three offset tables of one axis: those at which the last two differ.
struct MovedPositions {
  using Table = std::vector<std::int64_t>;

  Table a, b, before;

  MovedPositions(const Table& all_a, const Table& all_b, const Table& all_before) {
    for (std::size_t x = 0; x < all_b.size(); ++x) {
      if (all_b[x] == all_before[x]) continue;
      a.push_back(all_a[x]);
      b.push_back(all_b[x]);
      before.push_back(all_before[x]);
    }
  }
};

}  // namespace rebasin
