// The exact finish of a solve: from an assignment and float64 duals to an optimum in real arithmetic.
#pragma once

#include "rebasin/assignment.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin::assignment {

// Takes a complete assignment that uses no forbidden entry (`columns`), column duals for the larger side of
// the matrix, or duals of any quality, and leaves an assignment that is optimal for the costs as they were
// passed: 64-bit integers as integers, every float64 as the number that it is. The assignment stays as it is
// where it is optimal. The objective is the total, rounded once, and the gap is 0. The duals are those that
// prove it, rounded down (up when maximising): they stay feasible, and fall short of the total by their
// rounding only. Duals beyond float64 become its largest numbers.
//
// Entries that no better assignment can use are sorted out in float64 with every rounding accounted for
// (find_near_tight); the rest is solved by shortest augmenting paths in integers, as wide as the range of the
// costs requires, from the float64 duals. One or two reads of the matrix where the duals are good; memory
// O(rows + columns + entries left). Status::interrupted leaves the solution as it was.
Status finish_exactly(const AnyCostView& cost, AssignmentSolution& solution, Interrupt& interrupt);

}  // namespace rebasin::assignment
