// vec(A) . vec(pi(B)) of one tensor, in float64.
#pragma once

#include "cost/gather.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// Reads each entry of A and of B once. The order of summation depends on the shape, and on which axes lie in
// memory as one.
double tensor_objective(const Problem& problem, const Gather& gather, std::size_t tensor);

// By how much it has changed since B's entries lay at `before`, one table an axis. Where one axis has moved,
// only the positions that moved are read: of A once, of B where they lay and where they lie.
double tensor_gain(const Problem& problem, const Gather& gather, const OffsetTables& before,
                   std::size_t tensor);

}  // namespace rebasin
