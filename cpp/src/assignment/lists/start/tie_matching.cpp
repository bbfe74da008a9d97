#include <bit>

#include "assignment/lists/start/start.hpp"
#include "assignment/proof/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

constexpr std::int64_t word_bits = 64;

// The bits of every row's tight columns, and of the columns still free.
template <class T>
class TightPairs {
 public:
  explicit TightPairs(ListState<T>& state)
      : state_(state),
        words_((state.columns + word_bits - 1) / word_bits),
        bits_(std::make_unique_for_overwrite<std::uint64_t[]>(state.rows * words_)),
        free_(words_, 0),
        visited_(words_, 0),
        from_(state.columns) {
    for (std::int64_t j = 0; j < state.columns; ++j)
      free_[j / word_bits] |= std::uint64_t{1} << j % word_bits;
  }

  std::uint64_t* row(std::int64_t i) { return bits_.get() + i * words_; }

  // Gives row i a free column that it is tight with, from its own place on, so that rows alike spread.
  bool take_free(std::int32_t i) {
    const std::uint64_t* tight = row(i);
    const std::int64_t first = i * words_ / state_.rows;
    for (std::int64_t k = 0; k < words_; ++k) {
      const std::int64_t word = first + k < words_ ? first + k : first + k - words_;
      const std::uint64_t open = tight[word] & free_[word];
      if (open == 0) continue;
      pair(i, column_at(word, open));
      return true;
    }
    return false;
  }

  // Breadth first from a free row; columns without a path to a free one have none for later rows either.
  bool augment(std::int32_t root) {
    queue_.assign(1, root);
    std::vector<std::uint64_t> before = visited_;
    for (std::size_t next = 0; next < queue_.size(); ++next) {
      const std::int32_t i = queue_[next];
      const std::uint64_t* tight = row(i);
      for (std::int64_t word = 0; word < words_; ++word) {
        std::uint64_t reach = tight[word] & ~visited_[word];
        if (reach == 0) continue;
        const std::uint64_t open = reach & free_[word];
        if (open != 0) {
          from_[column_at(word, open)] = i;
          augment_along_path(column_at(word, open), root);
          visited_ = std::move(before);
          return true;
        }
        visited_[word] |= reach;
        for (; reach != 0; reach &= reach - 1) {
          from_[column_at(word, reach)] = i;
          queue_.push_back(state_.matching.row_of[column_at(word, reach)]);
        }
      }
    }
    return false;
  }

 private:
  static std::int32_t column_at(std::int64_t word, std::uint64_t bits) {
    return static_cast<std::int32_t>(word * word_bits + std::countr_zero(bits));
  }

  void pair(std::int32_t i, std::int32_t j) {
    state_.matching.column_of[i] = j;
    state_.matching.row_of[j] = i;
    free_[j / word_bits] &= ~(std::uint64_t{1} << j % word_bits);
  }

  void augment_along_path(std::int32_t column, std::int32_t root) {
    for (;;) {
      const std::int32_t i = from_[column];
      const std::int32_t next = state_.matching.column_of[i];
      pair(i, column);
      if (i == root) return;
      column = next;
    }
  }

  ListState<T>& state_;
  std::int64_t words_;
  std::unique_ptr<std::uint64_t[]> bits_;
  std::vector<std::uint64_t> free_;
  std::vector<std::uint64_t> visited_;
  std::vector<std::int32_t> from_;
  std::vector<std::int32_t> queue_;
};

}  // namespace

template <class T>
Attempt match_ties(ListState<T>& state, TiesMayLeave rows_left, Interrupt& interrupt) {
  TightPairs<T> pairs(state);
  state.row_duals.resize(state.rows);
  std::vector<std::int32_t> waiting;
  for (std::int64_t i = 0; i < state.rows; ++i) {
    if (i % 64 == 0 && interrupt.requested()) return Attempt::interrupted;
    const T* run = state.costs.row(i, state.buffer.data());
    const simd::Tight tight =
        state.kernels.mark_tight(run, state.sign_mask, state.columns, state.duals.v.data(), pairs.row(i));
    state.counters.entries_read += state.columns;
    if (tight.invalid || !(tight.least < std::numeric_limits<double>::infinity())) return Attempt::declined;
    state.row_duals[i] = tight.below ? next_down(tight.least) : tight.least;
    if (!pairs.take_free(static_cast<std::int32_t>(i))) waiting.push_back(static_cast<std::int32_t>(i));
  }
  state.matching.free_rows.clear();
  for (const std::int32_t i : waiting) {
    if (interrupt.requested()) return Attempt::interrupted;
    if (pairs.augment(i)) continue;
    if (rows_left == TiesMayLeave::no_row) return Attempt::declined;
    state.matching.free_rows.push_back(i);
  }
  state.evidence = Evidence::row_duals;
  return Attempt::solved;
}

template Attempt match_ties<float>(ListState<float>&, TiesMayLeave, Interrupt&);
template Attempt match_ties<double>(ListState<double>&, TiesMayLeave, Interrupt&);

}  // namespace rebasin::assignment
