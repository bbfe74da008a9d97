// By how much permutations can change an objective.
#pragma once

#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// The sum over tensors of |A - mean A| |B - mean B|, each mean over the entries that permutations exchange
// with one another: by Cauchy and Schwarz no permutation moves vec(A) . vec(pi(B)) further than that from its
// mean over all permutations. Entries that stay, and offsets that all units share, do not count. Reads each
// entry once; memory is one mean for each class of exchanged entries. Ends early, with the sum so far, where
// it is interrupted.
double spread_of_objective(const Problem& problem, Interrupt& interrupt);

}  // namespace rebasin
