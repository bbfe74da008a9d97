// The end of every solve: the caller's orientation and sign, the objective, and the proof.
#pragma once

#include <vector>

#include "assignment/costs/cost_rows.hpp"
#include "assignment/strategy/strategies.hpp"
#include "rebasin/assignment.hpp"

namespace rebasin::assignment {

// Brings a matching and its duals, of the problem as the strategies saw it, back to the caller's. The duals
// of a transformed problem are those of its differences.
template <class T>
void write_solution(const CostRows<T>& costs, Answer& answer, AssignmentSolution& solution);

// Sums the assigned costs; false where the float64 proof is not as good as float64 allows. `pair_costs` are
// those in the sign that is minimised, in any order; empty where they have to be read.
bool conclude(const AnyCostView& view, std::vector<double>&& pair_costs, AssignmentSolution& solution);

// The same where rows or columns may stay unmatched at half of the price each: moves the duals to those of
// the extended problem, rounded so that they stay feasible. The gap is left as it is.
void conclude_priced(const AnyCostView& view, double cost_limit, AssignmentSolution& solution);

// Moves the duals and widens the gap, so that both hold where entries differ from those that were solved by
// `rounding` at most.
void allow_for_rounding(const AnyCostView& view, double rounding, AssignmentSolution& solution);

// Whether float64 holds the total, the gap and every dual.
bool is_finite(const AssignmentSolution& solution);

// Whether the duals fall short of the objective by the gap and four of the last bits of each at most.
bool duals_prove_up_to_bits(const AnyCostView& view, const AssignmentSolution& solution);

}  // namespace rebasin::assignment
