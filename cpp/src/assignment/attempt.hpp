// What a strategy reports.
#pragma once

#include <cstdint>

namespace rebasin::assignment {

enum class Attempt : std::int32_t {
  solved,
  declined,       // not this strategy's kind of matrix; the next one may start from the duals reached
  infeasible,     // no complete matching avoids the forbidden entries
  invalid,        // NaN, or an infinity that no assignment may use
  interrupted,    // the caller asked to stop
  out_of_budget,  // the reads allowed are spent; the next strategy may start from the duals reached
};

}  // namespace rebasin::assignment
