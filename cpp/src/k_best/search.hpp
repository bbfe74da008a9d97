// Shortest augmenting paths on integer reduced costs: O(n m) a path.
#pragma once

#include <cstdint>
#include <vector>

#include "k_best/grid.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/status.hpp"
#include "simd/kernels.hpp"

namespace rebasin::k_best {

using Duals = std::vector<std::int64_t>;

constexpr std::int32_t no_row = -1;

// A matching with tight arcs, and duals of the columns; row i's dual is cost(i, column[i]) - v[column[i]].
// Columns beyond the rows' are matched to the grid's zero row, all at the same v.
struct Matching {
  std::vector<std::int32_t> column;  // of each row
  std::vector<std::int32_t> owner;   // of each column: its row, or no_row where it is free
  Duals v;                           // stride entries
};

class Search {
 public:
  explicit Search(const Grid& grid);

  // Takes a column out of the searches that follow, until `restore`.
  void begin(const Matching& matching);
  void remove_column(std::int64_t column) { v_[column] = -forbidden; }

  // The length of the shortest augmenting path from `row`, whose dual is `u`, to a free column; `finite` or
  // more where there is none or it has `limit` or more.
  std::int64_t run(const Matching& matching, std::int64_t row, std::int64_t u, std::int64_t limit);

  // Assigns along the path that `run` found, and makes the duals feasible again.
  void augment(Matching& matching) const;

  std::int64_t scanned_rows = 0;
  std::int64_t searches = 0;

 private:
  struct Scanned {
    std::int64_t row;
    std::int64_t entered;   // the column it was reached by; -1 for the first row
    std::int64_t distance;  // of that column
    std::int64_t u;
  };
  struct Closed {
    std::int64_t column;
    std::int64_t distance;
  };

  void close(std::int64_t column, std::int64_t distance);
  void close_zero_row(const Matching& matching, std::int64_t distance);

  const Grid& grid_;
  const simd::IntegerKernels& kernels_;
  Duals v_;
  std::vector<std::int64_t> open_;
  std::vector<Scanned> scanned_;
  std::vector<Closed> closed_;
  std::int64_t end_ = -1;
  std::int64_t length_ = 0;
};

// The best assignment of all, where the tree of subproblems begins.

// Solves the grid's problem exactly. Large ones take the matching and the duals of solve_assignment.
Status solve_root(const Grid& grid, Search& search, Matching& matching, Interrupt& interrupt);

}  // namespace rebasin::k_best
