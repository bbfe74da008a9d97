// Shortest augmenting paths over whole rows (Jonker & Volgenant 1987, section 2.3).
#pragma once

#include <cstdint>
#include <vector>

#include "assignment/attempt.hpp"
#include "assignment/dense/dense_problem.hpp"

namespace rebasin::assignment {

// Matches the free rows at least cost, given a matching along tight entries; or leaves a row of the path
// unmatched at the problem's price. Reads a row for every step of a search.
template <class T>
Attempt augment_rows(DenseProblem<T>& problem, const std::vector<std::int64_t>& free_rows);

}  // namespace rebasin::assignment
