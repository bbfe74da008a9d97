// Augmenting row reduction over whole rows (Jonker & Volgenant 1987, section 2.2).
#pragma once

#include <cstdint>
#include <vector>

#include "assignment/attempt.hpp"
#include "assignment/dense/dense_problem.hpp"

namespace rebasin::assignment {

struct ReducedRows {
  Attempt attempt = Attempt::solved;
  std::vector<std::int64_t> free;  // rows left without a column
};

// Two rounds of bids at epsilon = 0 from the duals of the problem and an empty matching. declined where
// `until_conflicts` and too many rows bid for the same columns.
template <class T>
ReducedRows reduce_rows(DenseProblem<T>& problem, bool until_conflicts);

}  // namespace rebasin::assignment
