#include "bottleneck/matching.hpp"

#include <bit>

namespace rebasin::bottleneck {

BitMatching::BitMatching(std::int64_t rows, std::int64_t columns)
    : rows_(rows),
      words_((columns + 63) / 64),
      unmatched_(rows),
      bits_(rows * words_),
      all_(words_, ~std::uint64_t{0}),
      column_(rows, -1),
      row_(columns, -1) {
  if (columns % 64 != 0) all_.back() = (std::uint64_t{1} << columns % 64) - 1;
  free_ = all_;
  unvisited_ = all_;
}

void BitMatching::grow() {
  bool progress = true;
  while (unmatched_ > 0 && progress) {
    ++phases;
    progress = false;
    unvisited_ = all_;
    for (std::int64_t i = 0; i < rows_; ++i) {
      if (column_[i] >= 0 || !augment(i)) continue;
      progress = true;
      --unmatched_;
    }
  }
}

// The first column from `word` on that the row may take, or -1.
std::int64_t BitMatching::find(std::int64_t row, const std::vector<std::uint64_t>& among,
                               std::int64_t& word) const {
  const std::uint64_t* bits = bits_.data() + row * words_;
  for (; word < words_; ++word) {
    const std::uint64_t found = bits[word] & among[word];
    if (found != 0) return word * 64 + std::countr_zero(found);
  }
  return -1;
}

bool BitMatching::augment(std::int64_t root) {
  stack_.clear();
  stack_.push_back({static_cast<std::int32_t>(root), -1, -1});
  while (!stack_.empty()) {
    Visit& visit = stack_.back();
    if (visit.word < 0) {
      visit.word = 0;
      std::int64_t word = 0;
      const std::int64_t column = find(visit.row, free_, word);
      if (column >= 0) {
        assign_stack(column);
        return true;
      }
    }
    const std::int64_t column = find(visit.row, unvisited_, visit.word);
    if (column < 0) {
      stack_.pop_back();
      continue;
    }
    unvisited_[column / 64] &= ~(std::uint64_t{1} << column % 64);
    stack_.push_back({row_[column], static_cast<std::int32_t>(column), -1});
  }
  return false;
}

// Each row on the stack takes the column by which the next one was entered; the last takes `column`.
void BitMatching::assign_stack(std::int64_t column) {
  free_[column / 64] &= ~(std::uint64_t{1} << column % 64);
  auto taken = static_cast<std::int32_t>(column);
  for (auto visit = stack_.rbegin(); visit != stack_.rend(); ++visit) {
    column_[visit->row] = taken;
    row_[taken] = visit->row;
    taken = visit->entered;
  }
}

std::vector<std::int64_t> BitMatching::reached_rows() const {
  std::vector<std::int64_t> reached;
  for (std::int64_t i = 0; i < rows_; ++i) {
    if (column_[i] < 0 || is_reached(column_[i])) reached.push_back(i);
  }
  return reached;
}

void BitMatching::restore(const std::vector<std::int32_t>& columns) {
  column_ = columns;
  free_ = all_;
  unmatched_ = 0;
  for (std::int64_t i = 0; i < rows_; ++i) {
    const std::int32_t column = column_[i];
    if (column < 0) {
      ++unmatched_;
      continue;
    }
    row_[column] = static_cast<std::int32_t>(i);
    free_[column / 64] &= ~(std::uint64_t{1} << column % 64);
  }
}

}  // namespace rebasin::bottleneck
