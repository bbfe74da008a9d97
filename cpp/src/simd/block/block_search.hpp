// Exact matching of a problem of up to 64 columns: tight pairs, row reduction, shortest augmenting paths.
#pragma once

#include "simd/block/block_auction.hpp"

namespace {

template <class T, int width>
class BlockSearch {
 public:
  explicit BlockSearch(BlockProblem<T>& problem)
      : problem_(problem),
        free_columns_(problem.columns == 64 ? ~std::uint64_t{0} : (one_bit << problem.columns) - 1) {
    for (int j = 0; j < width; ++j) problem.row_of[j] = -1;
    for (int i = 0; i < problem.rows; ++i) problem.column_of[i] = -1;
  }

  bool run() {
    if (!match_tight_pairs()) return false;
    if (problem_.rows >= fewest_rows_to_bid) reduce_rows();
    for (int k = 0; k < left_; ++k) {
      if (!augment(waiting_[k])) return false;
    }
    prove();
    return true;
  }

 private:
  using Row = Line<double, width>;
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  Row costs_of(int row) const { return Row::load(problem_.cost + row * width); }

  void assign(int row, int column) {
    problem_.column_of[row] = column;
    problem_.row_of[column] = row;
    free_columns_ &= ~(one_bit << column);
  }

  // A greatest matching of rows to columns at their least reduced cost, by searching on bits.
  bool match_tight_pairs() {
    const auto v = Row::load(problem_.v);
    for (int i = 0; i < problem_.rows; ++i) {
      const auto reduced = costs_of(i).minus(v);
      const double least = reduced.least();
      if (!(least < infinity)) return false;
      tight_[i] = reduced.where_equal(least);
      const std::uint64_t open = tight_[i] & free_columns_;
      if (open != 0) {
        assign(i, lowest_bit(open));
      } else {
        waiting_[left_++] = i;
      }
    }
    int kept = 0;
    for (int k = 0; k < left_; ++k) {
      if (!match_along_ties(waiting_[k])) waiting_[kept++] = waiting_[k];
    }
    left_ = kept;
    return true;
  }

  // Breadth first over tight pairs; columns without a path to a free one have none for later rows either.
  bool match_along_ties(int root) {
    std::int32_t queue[width];
    std::int32_t from[width];
    int queued = 0;
    std::uint64_t visited = dead_ends_;
    int row = root;
    for (int next = 0;; ++next) {
      std::uint64_t reach = tight_[row] & ~visited;
      const std::uint64_t open = reach & free_columns_;
      if (open != 0) {
        from[lowest_bit(open)] = row;
        sign_mask(lowest_bit(open), root, from);
        return true;
      }
      visited |= reach;
      for (; reach != 0; reach &= reach - 1) {
        const int column = lowest_bit(reach);
        from[column] = row;
        queue[queued++] = problem_.row_of[column];
      }
      if (next == queued) break;
      row = queue[next];
    }
    dead_ends_ = visited;
    return false;
  }

  // Bids at epsilon = 0 of the rows left over, the last evicted first. Ties wait for the path search.
  void reduce_rows() {
    constexpr int at_once = 2;
    int budget = problem_.rows;
    std::int32_t stack[width + 1];
    int free = 0;
    while (left_ > 0) stack[free++] = waiting_[--left_];
    auto v = Row::load(problem_.v);
    while (free >= at_once && budget > 0) {
      const int rows[at_once] = {stack[free - 1], stack[free - 2]};
      const BlockBid<double> bids[at_once] = {best_of_row<double, width>(problem_, rows[0], v),
                                              best_of_row<double, width>(problem_, rows[1], v)};
      free -= at_once;
      budget -= at_once;
      const std::uint64_t moved = bid(rows[0], bids[0], v, stack, free);
      if ((moved & bids[1].holders) != 0) {
        stack[free++] = rows[1];
      } else {
        bid(rows[1], bids[1], v, stack, free);
      }
    }
    while (free > 0 && budget-- > 0) {
      const int row = stack[--free];
      bid(row, best_of_row<double, width>(problem_, row, v), v, stack, free);
    }
    while (free > 0) waiting_[left_++] = stack[--free];
    v.store(problem_.v);
  }

  // Returns the column whose dual moved.
  std::uint64_t bid(int row, const BlockBid<double>& bid, Row& v, std::int32_t* stack, int& free) {
    const std::uint64_t open = bid.holders & free_columns_;
    if (open != 0) {
      assign(row, lowest_bit(open));
      return 0;
    }
    const int column = lowest_bit(bid.holders);
    const auto lowered = v.plus(bid.best - bid.second);
    const std::uint64_t moved = bid.second < infinity ? lowered.where_below(v) & (one_bit << column) : 0;
    if (moved == 0) {
      waiting_[left_++] = row;
      return 0;
    }
    v.replace(lowered, moved);
    const int evicted = problem_.row_of[column];
    problem_.column_of[evicted] = -1;
    assign(row, column);
    stack[free++] = evicted;
    return moved;
  }

  // Dijkstra's search from a free row over whole rows; all columns equally near are scanned together.
  bool augment(int root) {
    std::int32_t from[width];
    double distance[width];
    const auto v = Row::load(problem_.v);
    auto open = costs_of(root).minus(v);
    for (int j = 0; j < width; ++j) from[j] = root;
    std::uint64_t closed = 0;
    double reached = -infinity;
    for (;;) {
      const double nearest = open.least();
      if (!(nearest < infinity)) return false;
      const std::uint64_t ends = open.where_equal(nearest);
      // Rounding may offer a path shorter than its own beginning.
      reached = nearest > reached ? nearest : reached;
      if ((ends & free_columns_) != 0) {
        for (std::uint64_t bits = closed; bits != 0; bits &= bits - 1) {
          problem_.v[lowest_bit(bits)] += distance[lowest_bit(bits)] - reached;
        }
        sign_mask(lowest_bit(ends & free_columns_), root, from);
        return true;
      }
      closed |= ends;
      open.replace(infinity, ends);
      for (std::uint64_t bits = ends; bits != 0; bits &= bits - 1) {
        const int column = lowest_bit(bits);
        distance[column] = reached;
        relax(problem_.row_of[column], column, reached, v, closed, open, from);
      }
    }
  }

  // Offers the paths through a row, reached over its column, to the columns not yet closed.
  [[gnu::always_inline]] void relax(int row, int column, double reached, const Row& v, std::uint64_t closed,
                                    Row& open, std::int32_t* from) const {
    const double own = static_cast<double>(problem_.cost[row * width + column]) - problem_.v[column];
    const auto path = costs_of(row).minus(v).plus(reached - own);
    const std::uint64_t nearer = path.where_below(open) & ~closed;
    open.replace(path, nearer);
    for (int k = 0; k < Row::parts; ++k) {
      const auto bits = static_cast<std::uint32_t>(nearer >> (k * Row::L::width)) & Row::lane_bits;
      Row::L::store_bits(from + k * Row::L::width, row, bits);
    }
  }

  void sign_mask(int column, int root, const std::int32_t* from) {
    for (;;) {
      const int row = from[column];
      const int next = problem_.column_of[row];
      assign(row, column);
      if (row == root) return;
      column = next;
    }
  }

  // Each row's least reduced cost at the final duals, and where it is met.
  void prove() {
    const auto v = Row::load(problem_.v);
    for (int i = 0; i < problem_.rows; ++i) {
      const auto reduced = costs_of(i).minus(v);
      problem_.least[i] = reduced.least();
      problem_.holders[i] = reduced.where_equal(problem_.least[i]);
    }
  }

  BlockProblem<T>& problem_;
  std::uint64_t free_columns_;
  std::uint64_t dead_ends_ = 0;
  std::uint64_t tight_[width];
  std::int32_t waiting_[width];
  int left_ = 0;
};

template <class T, int width>
void solve_block_of(const T* const* runs, T sign_mask, BlockProblem<T>& problem) {
  const bool square = problem.rows == problem.columns;
  using Found = rebasin::simd::BlockFound;
  if (!load_block<T, width>(runs, sign_mask, square && problem.rows >= 32 ? most_blocks : 1, problem)) {
    problem.found = Found::invalid;
    return;
  }
  problem.found = problem.overflows ? Found::overflows : Found::infeasible;
  if (problem.overflows) return;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  if (square) {
    for (int j = 0; j < problem.columns; ++j) {
      if (!(problem.start[j] < infinity)) return;
    }
    for (int j = problem.columns; j < width; ++j) problem.start[j] = T(0);
    if (problem.rows >= fewest_rows_to_bid) improve_block_duals<T, width>(problem);
  } else {
    for (int j = 0; j < width; ++j) problem.start[j] = T(0);
  }
  for (int j = 0; j < width; ++j) problem.v[j] = static_cast<double>(problem.start[j]);
  if (BlockSearch<T, width>(problem).run()) problem.found = Found::optimum;
}

template <class T>
void solve_block(const T* const* runs, T sign_mask, BlockProblem<T>& problem) {
  if (problem.columns <= 16) {
    solve_block_of<T, 16>(runs, sign_mask, problem);
  } else if (problem.columns <= 32) {
    solve_block_of<T, 32>(runs, sign_mask, problem);
  } else {
    solve_block_of<T, 64>(runs, sign_mask, problem);
  }
}

}  // namespace
