// The result of every entry point of the core. The core throws nothing across its border.
#pragma once

#include <cstdint>

namespace rebasin {

enum class Status : std::int32_t {
  ok = 0,
  invalid_entry,  // NaN, or the infinity that no assignment may use (-inf when minimising)
  infeasible,     // no assignment avoids the forbidden entries
  overflow,       // a total or a dual of the optimum lies beyond float64; columns alone are given
  interrupted,    // the caller's interrupt asked to stop; outputs are unspecified
  out_of_memory,  // a workspace could not be allocated; outputs are unspecified
};

}  // namespace rebasin
