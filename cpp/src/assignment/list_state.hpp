// What the stages of the list solver hand to one another.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "assignment/attempt.hpp"
#include "assignment/cost_rows.hpp"
#include "assignment/matching_state.hpp"
#include "assignment/tuning.hpp"
#include "rebasin/interrupt.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {

// Costs and duals are multiples of `step` within +-limit, so that every addition and comparison of the stages
// is exact: matched arcs are exactly tight and nothing drifts.
struct Grid {
  double step = 0.0;
  double magic = 0.0;  // (x + magic) - magic rounds to a multiple of step
  double limit = 0.0;

  double round(double x) const { return (x + magic) - magic; }
  double round_down(double x) const {
    if (x >= limit) return limit;
    if (x <= -limit) return -limit;
    const double rounded = round(x);
    return rounded > x ? rounded - step : rounded;
  }
};

// The threshold that would have suited the last rows: rows alike need no search for one of their own.
template <class T>
struct ThresholdGuess {
  static constexpr int wanted = 16;  // entries at or below it
  static constexpr int fewer = 6;    // that many fewer or more still make a list
  static constexpr int most_trust = 3;

  T threshold = 0;
  int trust = 0;  // rises and falls with success; above zero the guess is worth trying

  void learn(const simd::Scan<T>& found) {
    const int count = std::min(found.count, simd::record_capacity);
    const T spread = count == 0 || found.invalid ? T{0} : found.reduced[count - 1] - found.reduced[0];
    if (!(spread > 0)) {
      trust = 0;
      return;
    }
    const T spacing = spread / static_cast<T>(count);
    const T suited = found.reduced[count - 1] + spacing * static_cast<T>(wanted - count);
    const bool fits = std::abs(threshold - suited) <= spacing * fewer;
    threshold = fits ? threshold + (suited - threshold) / 4 : suited;
    trust = std::clamp(trust + (fits ? 1 : -1), 0, most_trust);
  }
};

// Every step only lowers v, so reduced costs only grow, and a lower bound in a record stays valid for ever.
template <class T>
struct ListState {
  const CostRows<T>& costs;
  const simd::KernelsFor<T>& kernels;
  std::int64_t rows;
  std::int64_t columns;
  T flip;
  Grid grid;
  std::unique_ptr<simd::Record<T>[]> records;  // one a row, uninitialised until built
  std::vector<double> pair_cost;               // per row: the grid image of its matched entry
  std::vector<double> v;                       // padded to whole blocks
  std::vector<T> v_up;                         // v rounded up to T: a scan with it misses nothing
  std::vector<std::uint8_t>
      bound_is_rounded;  // per row: its bound holds for grid costs; real ones may lie a step lower
  std::vector<std::uint8_t> frozen;  // per row: paired beforehand, to be skipped, without a list
  std::vector<std::pair<std::int32_t, std::int32_t>> frozen_pairs;
  double frozen_dual = 0.0;              // of the frozen columns
  std::vector<std::int32_t> spare_rows;  // frozen without a column: they take what is left in the end
  bool mostly_ties = false;              // columns meet their minima again and again
  bool columns_repeat = false;           // many are copies of one another
  bool minima_far_apart = false;         // positive costs of many magnitudes: no epsilon suits them all
  bool solved_by_ties = false;
  bool rows_differ = false;  // rows spread over very different ranges; known beforehand
  std::vector<std::int32_t> column_of;
  std::vector<std::int32_t> row_of;
  std::vector<std::int32_t> free_rows;
  std::vector<T> buffer;
  std::vector<std::uint64_t> masks;
  simd::Scan<T> found;
  ThresholdGuess<T> guess;
  AssignmentCounters counters;
  double work_allowed = std::numeric_limits<double>::infinity();  // entries of the matrix, or their worth

  double refills_allowed = std::numeric_limits<double>::infinity();

  explicit ListState(const CostRows<T>& problem);

  bool over_budget() const {
    return static_cast<double>(counters.entries_read + tuning::entries_per_bid * counters.bids +
                               tuning::entries_per_scanned_list * counters.scanned_rows) > work_allowed ||
           static_cast<double>(counters.refills) > refills_allowed;
  }

  void set_dual(std::int64_t column, double value) {
    v[column] = value;
    v_up[column] = round_up(value);
  }

  // The least T at or above the value. Without a branch, which half of the bids would mispredict.
  static T round_up(double value) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    const T rounded = static_cast<T>(value);
    const auto bits = std::bit_cast<Bits>(rounded);
    const Bits upward = bits < 0 ? Bits{-1} : Bits{1};
    return std::bit_cast<T>(bits + (static_cast<double>(rounded) < value ? upward : Bits{0}));
  }

  // Frees every row, keeping v.
  void drop_matching();

  // Back to the beginning.
  void forget();

  // The same for another strategy, whose counters and budget are its own.
  void restart();

  void assign(std::int32_t row, std::int32_t column, double cost) {
    column_of[row] = column;
    row_of[column] = row;
    pair_cost[row] = cost;
  }

  // The same for entry `at` of the row's list.
  void assign_listed(std::int32_t row, std::int32_t at) {
    const simd::Record<T>& record = records[row];
    assign(row, record.column[at], grid.round(static_cast<double>(record.cost[at])));
  }
};

}  // namespace rebasin::assignment
