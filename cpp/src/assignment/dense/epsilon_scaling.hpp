// Column duals by an auction over whole rows whose epsilon falls (Bertsekas 1988).
#pragma once

#include "assignment/attempt.hpp"
#include "assignment/dense/dense_problem.hpp"

namespace rebasin::assignment {

// For square problems whose rows nearly all bid for the same columns, where one path search a row would read
// the matrix n / 2 times. Improves any duals, and leaves an empty matching: row reduction from those duals
// pairs most rows. Takes up to `tuning::scaling_bids_per_row` row reads a row and phase.
template <class T>
Attempt scale_epsilon(DenseProblem<T>& problem);

}  // namespace rebasin::assignment
