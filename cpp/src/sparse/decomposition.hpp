// The two halves of the Dulmage-Mendelsohn decomposition (1958): O(entries) beyond a greatest matching.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

// Rows (or columns) in two parts: the number of each in its part, -1 in the other.
struct Parts {
  std::vector<std::int32_t> in_first;
  std::vector<std::int32_t> in_second;
  std::int64_t of_first = 0;
  std::int64_t of_second = 0;
};

struct Decomposition {
  Attempt attempt = Attempt::solved;
  Parts rows;
  Parts columns;
};

// First: the rows that some greatest matching leaves unassigned, with the columns of their entries, which all
// greatest matchings assign among them. Second: the rest, whose rows all have a column. One greatest matching
// and a search along alternating paths.
Decomposition decompose(const Graph& graph, Interrupt& interrupt);

}  // namespace rebasin::sparse
