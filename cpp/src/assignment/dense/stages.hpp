// The stages of a solve on whole rows, each from the duals that the one before left.
#pragma once

#include <cstdint>
#include <vector>

#include "assignment/attempt.hpp"
#include "assignment/costs/cost_rows.hpp"
#include "assignment/dense/dense_problem.hpp"
#include "assignment/matching_state.hpp"
#include "rebasin/interrupt.hpp"

namespace rebasin::assignment {

// First duals of the dense solver by column reduction (Jonker & Volgenant 1987, section 2.1).

// Sets state.v to the column minima of the first `counted_rows` rows of a square problem, to zero otherwise:
// duals that no matching is needed for. One read of a square matrix.
template <class T>
Attempt start_from_column_minima(const CostRows<T>& costs, std::int64_t counted_rows, MatchingState& state,
                                 Interrupt& interrupt);

// The same with row minima subtracted first, so that offsets of rows and of columns go.
template <class T>
Attempt start_from_reduced_minima(const CostRows<T>& costs, std::int64_t counted_rows, MatchingState& state,
                                  Interrupt& interrupt);

// Augmenting row reduction over whole rows (Jonker & Volgenant 1987, section 2.2).

struct ReducedRows {
  Attempt attempt = Attempt::solved;
  std::vector<std::int64_t> free;  // rows left without a column
};

// Two rounds of bids at epsilon = 0 from the duals of the problem and an empty matching. declined where
// `until_conflicts` and too many rows bid for the same columns.
template <class T>
ReducedRows reduce_rows(DenseProblem<T>& problem, bool until_conflicts);

// Column duals by an auction over whole rows whose epsilon falls (Bertsekas 1988).

// For square problems whose rows nearly all bid for the same columns, where one path search a row would read
// the matrix n / 2 times. Improves any duals, and leaves an empty matching: row reduction from those duals
// pairs most rows. Takes up to `tuning::scaling_bids_per_row` row reads a row and phase.
template <class T>
Attempt scale_epsilon(DenseProblem<T>& problem);

// Shortest augmenting paths over whole rows (Jonker & Volgenant 1987, section 2.3).

// Matches the free rows at least cost, given a matching along tight entries; or leaves a row of the path
// unmatched at the problem's price. Reads a row for every step of a search.
template <class T>
Attempt augment_rows(DenseProblem<T>& problem, const std::vector<std::int64_t>& free_rows);

}  // namespace rebasin::assignment
