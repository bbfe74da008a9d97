// vec(A) . vec(pi(B)) of one tensor, in float64.
#pragma once

#include "cost/gather.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// Reads each entry of A and of B once. The order of summation depends on the shape alone.
double tensor_objective(const Problem& problem, const Gather& gather, std::size_t tensor);

}  // namespace rebasin
