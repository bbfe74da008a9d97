// The positions of the units of one permutation in one tensor, in A and in B.
#pragma once

#include <cstdint>
#include <vector>

namespace rebasin {

// Unit i owns the positions [i * copies + r] along `axis`, r < copies; entry by entry A's are compared with
// B's.
struct Occurrence {
  std::size_t tensor = 0;
  std::int32_t axis = 0;
  std::int64_t copies = 1;
  std::vector<std::int64_t> a_positions;
  std::vector<std::int64_t> b_positions;
};

}  // namespace rebasin
