#include "k_best/search.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace rebasin::k_best {

constexpr std::int64_t nothing = std::numeric_limits<std::int64_t>::max();

Search::Search(const Grid& grid)
    : grid_(grid), kernels_(simd::active().integer), v_(grid.stride), open_(grid.stride) {}

void Search::begin(const Matching& matching) {
  std::copy(matching.v.begin(), matching.v.end(), v_.begin());
}

void Search::close(std::int64_t column, std::int64_t distance) {
  closed_.push_back({column, distance});
  open_[column] = nothing;
  v_[column] = -forbidden;
}

// The zero row reaches all of its columns at the distance at which it is reached.
void Search::close_zero_row(const Matching& matching, std::int64_t distance) {
  for (std::int64_t j = 0; j < grid_.columns; ++j) {
    if (matching.owner[j] == grid_.rows) close(j, distance);
  }
}

std::int64_t Search::run(const Matching& matching, std::int64_t row, std::int64_t u, std::int64_t limit) {
  ++searches;
  scanned_.clear();
  closed_.clear();
  std::fill(open_.begin(), open_.end(), nothing);
  std::int64_t entered = -1;
  std::int64_t distance = 0;
  for (;;) {
    scanned_.push_back({row, entered, distance, u});
    ++scanned_rows;
    const std::int64_t least =
        kernels_.relax(grid_.row(row), v_.data(), distance - u, open_.data(), grid_.stride);
    if (least >= finite || least >= limit) return finite;
    distance = least;
    const std::int64_t j = kernels_.find(open_.data(), distance);
    if (matching.owner[j] == no_row) {
      end_ = j;
      length_ = distance;
      return distance;
    }
    row = matching.owner[j];
    entered = j;
    u = grid_.row(row)[j] - v_[j];
    if (row == grid_.rows) {
      close_zero_row(matching, distance);
    } else {
      close(j, distance);
    }
  }
}

void Search::augment(Matching& matching) const {
  // The row that a column's distance came from is the first scanned one that gives it.
  std::int64_t column = end_;
  std::int64_t distance = length_;
  std::size_t before = scanned_.size();
  for (;;) {
    std::size_t k = 0;
    while (k < before &&
           scanned_[k].distance + grid_.row(scanned_[k].row)[column] - scanned_[k].u - matching.v[column] !=
               distance) {
      ++k;
    }
    assert(k < before);
    const Scanned& from = scanned_[k];
    matching.owner[column] = static_cast<std::int32_t>(from.row);
    if (from.row < grid_.rows) matching.column[from.row] = static_cast<std::int32_t>(column);
    if (from.entered < 0) break;
    column = from.entered;
    distance = from.distance;
    before = k;
  }
  for (const Closed& closed : closed_) matching.v[closed.column] -= length_ - closed.distance;
}

}  // namespace rebasin::k_best
