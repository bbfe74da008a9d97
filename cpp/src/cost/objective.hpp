// vec(A) . vec(pi(B)) of one tensor, in float64, and by how much permutations can change it.
#pragma once

#include "cost/gather.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// Reads each entry of A and of B once. The order of summation depends on the shape, and on which axes lie in
// memory as one.
double tensor_objective(const Problem& problem, const Gather& gather, std::size_t tensor);

// By how much it has changed since B's entries lay at `before`, one table an axis. Where one axis has moved,
// only the positions that moved are read: of A once, of B where they lay and where they lie.
double tensor_gain(const Problem& problem, const Gather& gather, const OffsetTables& before,
                   std::size_t tensor);

// By how much permutations can change an objective.

// The sum over tensors of |A - mean A| |B - mean B|, each mean over the entries that permutations exchange
// with one another: by Cauchy and Schwarz no permutation moves vec(A) . vec(pi(B)) further than that from its
// mean over all permutations. Entries that stay, and offsets that all units share, do not count. Reads each
// entry once; memory is one mean for each class of exchanged entries. Ends early, with the sum so far, where
// it is interrupted.
double spread_of_objective(const Problem& problem, Interrupt& interrupt);

}  // namespace rebasin
