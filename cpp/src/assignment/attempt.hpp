// The result of a strategy.
#pragma once

#include <cstdint>

namespace rebasin::assignment {

enum class Attempt : std::int32_t {
  solved,
  declined,       // the strategy does not suit the matrix; the next one is tried
  infeasible,     // no complete matching avoids the forbidden entries
  invalid,        // NaN, or an infinity that no assignment may use
  interrupted,    // the caller asked to stop
  out_of_budget,  // the reads allowed are spent; the next one is tried
};

}  // namespace rebasin::assignment
