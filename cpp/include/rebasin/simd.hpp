// Which instruction-set level the kernels run at.
#pragma once

#include <string>
#include <vector>

namespace rebasin {

// The level in use: the best that this machine runs, or the one that REBASIN_FAST_SIMD named at the
// first call.
std::string simd_level();

// Levels compiled in that this machine runs, best first.
std::vector<std::string> simd_levels();

}  // namespace rebasin
