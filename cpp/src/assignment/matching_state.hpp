// The state of the dense solver: a partial matching with column duals.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace rebasin::assignment {

inline constexpr std::int64_t unassigned = -1;

// A partial matching and column duals v; the row dual is implied, u_i = min_j (c_ij - v_j).
struct MatchingState {
  std::vector<double> v;
  std::vector<std::int64_t> column_of;  // per row
  std::vector<std::int64_t> row_of;     // per column

  void reset(std::int64_t rows, std::int64_t columns) {
    v.assign(columns, 0.0);
    column_of.assign(rows, unassigned);
    row_of.assign(columns, unassigned);
  }

  void take(const std::vector<std::int32_t>& columns, const std::vector<std::int32_t>& rows,
            const std::vector<double>& duals, std::int64_t column_count) {
    column_of.assign(columns.begin(), columns.end());
    row_of.assign(rows.begin(), rows.end());
    v.assign(duals.begin(), duals.begin() + column_count);
  }

  void assign(std::int64_t row, std::int64_t column) {
    column_of[row] = column;
    row_of[column] = row;
  }
};

}  // namespace rebasin::assignment
