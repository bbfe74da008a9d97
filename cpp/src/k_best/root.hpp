// The best assignment of all, where the tree of subproblems begins.
#pragma once

#include "k_best/grid.hpp"
#include "k_best/search.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"

namespace rebasin::k_best {

// Solves the grid's problem exactly. Large ones take the matching and the duals of solve_assignment.
Status solve_root(const Grid& grid, Search& search, Matching& matching, Interrupt& interrupt);

}  // namespace rebasin::k_best
