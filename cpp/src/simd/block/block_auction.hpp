// The auction with a positive epsilon on a problem of up to 64 columns, in registers.
#pragma once

#include "simd/block/block_rows.hpp"

namespace {

// With fewer rows the path search alone is faster.
inline constexpr int fewest_rows_to_bid = 16;

// A power of two near x > 0: duals of few bits keep most arithmetic exact.
template <class T>
T near_power_of_two(T x) {
  using I = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr int fraction = std::numeric_limits<T>::digits - 1;
  const T leaning = x * T(1.41421356);
  I bits;
  __builtin_memcpy(&bits, &leaning, sizeof bits);
  bits = bits >> fraction << fraction;
  T power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return power;
}

struct FirstLook {
  int distinct = 0;    // rows whose best column is no earlier row's best
  int tied = 0;        // rows whose best two are equal
  double leads = 0.0;  // sum of the best two's distances
  int rows = 0;        // counted in it
};

template <class T, int width>
FirstLook look_at_rows(const BlockProblem<T>& problem, const Line<T, width>& v) {
  FirstLook seen;
  std::uint64_t taken = 0;
  for (int i = 0; i < problem.rows; ++i) {
    const auto reduced = Line<T, width>::load(problem.cost + i * width).minus(v);
    T best;
    T second;
    two_least(reduced, best, second);
    const std::uint64_t holders = reduced.where_equal(best);
    const std::uint64_t column = holders & (0 - holders);
    seen.distinct += (taken & column) == 0 ? 1 : 0;
    taken |= column;
    if (!(second < std::numeric_limits<T>::infinity())) continue;
    seen.leads += static_cast<double>(second) - static_cast<double>(best);
    seen.tied += second == best ? 1 : 0;
    ++seen.rows;
  }
  return seen;
}

// The row's best columns and how far its bid lowers one of them.
template <class S>
struct BlockBid {
  std::uint64_t holders;
  S best;
  S second;
};

template <class S, int width, class T>
[[gnu::always_inline]] inline BlockBid<S> best_of_row(const BlockProblem<T>& problem, int row,
                                                      const Line<S, width>& v) {
  const auto reduced = Line<S, width>::load(problem.cost + row * width).minus(v);
  BlockBid<S> bid;
  two_least(reduced, bid.best, bid.second);
  bid.holders = reduced.where_equal(bid.best);
  return bid;
}

// Lowers v by about `budget` bids from an empty matching, which is then forgotten. A few rows are scanned
// at the same duals, since one scan is a chain of waits; a row whose column has just moved is scanned again.
template <class T, int width>
void bid_with_epsilon(const BlockProblem<T>& problem, T epsilon, int budget, Line<T, width>& v) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  constexpr int at_once = 4;
  std::int32_t owner[width];
  std::int32_t stack[width + 1];
  int free = problem.rows;
  for (int j = 0; j < width; ++j) owner[j] = -1;
  for (int k = 0; k < free; ++k) stack[k] = free - 1 - k;
  const auto apply = [&](std::int32_t row, const BlockBid<T>& bid, std::uint64_t& moved) {
    const std::uint64_t column = bid.holders & (0 - bid.holders);
    const int j = lowest_bit(column);
    const bool stale = (moved & column) != 0;
    const T drop = bid.second < infinity ? (bid.second - bid.best) + epsilon : epsilon;
    if (!stale) v.replace(v.plus(-drop), column);
    moved |= column;
    const std::int32_t without = stale ? row : owner[j];
    owner[j] = stale ? owner[j] : row;
    stack[free] = without;
    free += without >= 0 ? 1 : 0;
  };
  while (free >= at_once && budget > 0) {
    std::int32_t rows[at_once];
    BlockBid<T> bids[at_once];
    for (int k = 0; k < at_once; ++k) rows[k] = stack[--free];
    for (int k = 0; k < at_once; ++k) bids[k] = best_of_row<T, width>(problem, rows[k], v);
    std::uint64_t moved = 0;
    for (int k = 0; k < at_once; ++k) apply(rows[k], bids[k], moved);
    budget -= at_once;
  }
  for (; free > 0 && budget > 0; --budget) {
    const std::int32_t row = stack[--free];
    std::uint64_t moved = 0;
    apply(row, best_of_row<T, width>(problem, row, v), moved);
  }
}

// Square problems: improves the first duals where rows share best columns.
template <class T, int width>
void improve_block_duals(BlockProblem<T>& problem) {
  constexpr double share = 0.15;
  constexpr int bids_per_row = 2;
  auto v = Line<T, width>::load(problem.start);
  const FirstLook seen = look_at_rows(problem, v);
  const bool nearly_solved = seen.distinct * 10 >= problem.rows * 9;
  if (nearly_solved || seen.tied * 2 >= seen.rows || !(seen.leads > 0.0)) return;
  const T epsilon = near_power_of_two(static_cast<T>(share * seen.leads / seen.rows));
  if (!(epsilon > T(0))) return;
  bid_with_epsilon(problem, epsilon, bids_per_row * problem.rows, v);
  // Costs near the end of the range overflow here; their first duals will do.
  alignas(64) T improved[width];
  v.store(improved);
  constexpr T largest = std::numeric_limits<T>::max();
  for (const T dual : improved) {
    if (!(dual >= -largest && dual <= largest)) return;
  }
  v.store(problem.start);
}

}  // namespace
