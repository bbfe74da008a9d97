// Shortest augmenting paths on sparse rows: Dijkstra's algorithm on reduced costs (Jonker & Volgenant 1987).
#pragma once

#include "assignment/event_queue.hpp"
#include "rebasin/interrupt.hpp"
#include "sparse/matching_state.hpp"

namespace rebasin::sparse {

class PathSearch {
 public:
  explicit PathSearch(MatchingState& state);

  // Assigns one more row along a shortest path from `free_row`, which the caller takes off free_rows. Where
  // infeasible, tree_rows() is a Hall violator: the columns of all their entries are matched among them.
  Attempt augment(std::int32_t free_row, Interrupt& interrupt);

  // Lowers the duals by the shortest path from all free rows at once, so that a path of tight entries leads
  // from one of them to a free column. Where infeasible, as above.
  Attempt open_tight_path(Interrupt& interrupt);

  const std::vector<std::int32_t>& tree_rows() const { return tree_rows_; }
  std::int64_t entries_read() const { return entries_read_; }

 private:
  struct Scanned {
    std::int32_t column;
    Fixed distance;
  };

  void clear();
  Attempt grow(Interrupt& interrupt);
  bool enter(std::int32_t row, Fixed offset);
  bool lower_duals();
  void augment_along_path(std::int32_t root);

  MatchingState& state_;
  std::vector<Fixed> distance_;
  std::vector<std::int32_t> from_;
  std::vector<std::int32_t> touched_;
  std::vector<std::int32_t> ready_;                     // matched columns at the present distance
  assignment::EventQueue<Fixed, std::int32_t> events_;  // matched columns
  std::vector<Scanned> scanned_;
  std::vector<std::int32_t> tree_rows_;
  Fixed now_ = 0;
  Fixed nearest_free_ = fixed_infinity;
  std::int32_t end_ = none;  // the nearest free column
  std::int64_t entries_read_ = 0;
};

}  // namespace rebasin::sparse
