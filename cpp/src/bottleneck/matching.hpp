// Maximum matchings of rows to columns where the allowed pairs are bits.
#pragma once

#include <cstdint>
#include <vector>

namespace rebasin::bottleneck {

class BitMatching {
 public:
  BitMatching(std::int64_t rows, std::int64_t columns);

  std::uint64_t* bits(std::int64_t row) { return bits_.data() + row * words_; }

  // Augments until no path is left, in rounds of depth-first searches that share the columns visited, each
  // with a scan for free columns first (Pothen & Fan 1990).
  void grow();

  bool is_complete() const { return unmatched_ == 0; }
  std::int64_t unmatched_rows() const { return unmatched_; }
  const std::vector<std::int32_t>& columns() const { return column_; }

  // After `grow` of an incomplete matching: the rows that alternating paths from unmatched rows reach. All
  // columns that the reached rows may take are reached, and they are fewer by the number of unmatched rows.
  std::vector<std::int64_t> reached_rows() const;
  bool is_reached(std::int64_t column) const { return (unvisited_[column / 64] >> column % 64 & 1) == 0; }

  // The matching alone, to go back to.
  const std::vector<std::int32_t>& save() const { return column_; }
  void restore(const std::vector<std::int32_t>& columns);

  std::int64_t phases = 0;

 private:
  struct Visit {
    std::int32_t row;
    std::int32_t entered;  // the column that the row holds; -1 for an unmatched row
    std::int64_t word;     // where its search for unvisited columns goes on
  };

  bool augment(std::int64_t root);
  std::int64_t find(std::int64_t row, const std::vector<std::uint64_t>& among, std::int64_t& word) const;
  void assign_stack(std::int64_t column);

  std::int64_t rows_;
  std::int64_t words_;
  std::int64_t unmatched_;
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint64_t> all_;
  std::vector<std::uint64_t> free_;
  std::vector<std::uint64_t> unvisited_;
  std::vector<std::int32_t> column_;  // of each row, -1
  std::vector<std::int32_t> row_;     // of each column, -1
  std::vector<Visit> stack_;
};

}  // namespace rebasin::bottleneck
