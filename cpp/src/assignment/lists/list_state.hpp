// The state of the list solver, one struct a concern.
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
#include "assignment/costs/cost_rows.hpp"
#include "assignment/matching_state.hpp"
#include "assignment/strategy/tuning.hpp"
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

// The threshold that suited the last rows, as a first guess for the next: similar rows need no search.
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

// Column duals on the grid. Once lists are built, every step only lowers v, so reduced costs only grow and a
// lower bound in a record stays valid. Columns that presolve took out get their dual back in the end.
template <class T>
struct GridDuals {
  Grid grid;
  std::vector<double> v;  // padded to whole blocks
  std::vector<T> v_up;    // v rounded up to T: a scan with it misses nothing

  explicit GridDuals(std::int64_t columns)
      : v((columns + simd::block - 1) / simd::block * simd::block, 0.0), v_up(v.size(), T{0}) {}

  void set(std::int64_t column, double value) {
    v[column] = value;
    v_up[column] = round_up(value);
  }

  void clear() {
    std::fill(v.begin(), v.end(), 0.0);
    std::fill(v_up.begin(), v_up.end(), T{0});
  }

  // The least T at or above the value. Without a branch, which half of the bids would mispredict.
  static T round_up(double value) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    const T rounded = static_cast<T>(value);
    const auto bits = std::bit_cast<Bits>(rounded);
    const Bits upward = bits < 0 ? Bits{-1} : Bits{1};
    return std::bit_cast<T>(bits + (static_cast<double>(rounded) < value ? upward : Bits{0}));
  }
};

// A partial matching; 32-bit numbers, as lists have.
struct ListMatching {
  std::vector<std::int32_t> column_of;
  std::vector<std::int32_t> row_of;
  std::vector<double> pair_cost;  // per row: the grid image of its matched entry
  std::vector<std::int32_t> free_rows;

  ListMatching(std::int64_t rows, std::int64_t columns)
      : column_of(rows, static_cast<std::int32_t>(unassigned)),
        row_of(columns, static_cast<std::int32_t>(unassigned)),
        pair_cost(rows) {
    free_rows.reserve(rows);
  }

  void assign(std::int32_t row, std::int32_t column, double cost) {
    column_of[row] = column;
    row_of[column] = row;
    pair_cost[row] = cost;
  }

  // Unmatches every row, free_rows as they are.
  void drop() {
    std::fill(column_of.begin(), column_of.end(), static_cast<std::int32_t>(unassigned));
    std::fill(row_of.begin(), row_of.end(), static_cast<std::int32_t>(unassigned));
  }
};

// The rows' candidate lists, and the scan that builds one.
template <class T>
struct ListRecords {
  std::unique_ptr<simd::Record<T>[]> records;  // one a row, uninitialised until built
  // Per row: its bound holds for grid costs; real ones may lie a step lower.
  std::vector<std::uint8_t> bound_is_rounded;
  ThresholdGuess<T> guess;
  std::vector<std::uint64_t> masks;
  simd::Scan<T> found;

  ListRecords(std::int64_t rows, std::size_t padded_columns)
      : records(std::make_unique_for_overwrite<simd::Record<T>[]>(rows)),
        bound_is_rounded(rows, 0),
        masks(padded_columns / simd::block + 1) {}
};

// Rows and columns matched beforehand.
struct Presolve {
  std::vector<std::uint8_t> removed;  // per row: to be skipped, without a list
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  double dual = 0.0;                        // of the pairs' columns
  std::vector<std::int32_t> unpaired_rows;  // removed without a column: they take the columns left in the end

  explicit Presolve(std::int64_t rows) : removed(rows, 0) {}

  void clear() {
    pairs.clear();
    unpaired_rows.clear();
    dual = 0.0;
    std::fill(removed.begin(), removed.end(), std::uint8_t{0});
  }
};

// Properties of the matrix that decide among the stages.
struct ListTraits {
  bool mostly_ties = false;       // columns meet their minima again and again
  bool columns_repeat = false;    // many are copies of one another
  bool minima_far_apart = false;  // positive costs of many magnitudes: no epsilon suits them all
  bool rows_differ = false;       // rows spread over very different ranges; known beforehand
};

struct ListBudget {
  double work = std::numeric_limits<double>::infinity();  // entries of the matrix, or their worth
  double refills = std::numeric_limits<double>::infinity();

  bool is_spent(const AssignmentCounters& counters) const {
    return static_cast<double>(counters.entries_read + tuning::entries_per_bid * counters.bids +
                               tuning::entries_per_scanned_list * counters.scanned_rows) > work ||
           static_cast<double>(counters.refills) > refills;
  }
};

// The proof of a complete matching, beside the column duals: the lists and their bounds, the row duals that a
// matching among ties leaves, or a read of the whole matrix.
enum class Evidence { lists, row_duals, whole_rows };

template <class T>
struct ListState {
  const CostRows<T>& costs;
  const simd::KernelsFor<T>& kernels;
  std::int64_t rows;
  std::int64_t columns;
  T sign_mask;            // -0.0 to maximise: the kernels negate costs with it
  std::vector<T> buffer;  // a row that cannot be read in place
  GridDuals<T> duals;
  ListMatching matching;
  ListRecords<T> lists;
  Presolve presolve;
  ListTraits traits;
  ListBudget budget;
  AssignmentCounters counters;
  Evidence evidence = Evidence::lists;
  std::vector<double> row_duals;  // where the evidence is these

  explicit ListState(const CostRows<T>& problem);

  bool over_budget() const { return budget.is_spent(counters); }

  // Restores the state before the first stage.
  void forget();

  // The same for another strategy, whose counters, traits and budget are its own.
  void restart();

  // Matches a row to entry `at` of its list.
  void assign_listed(std::int32_t row, std::int32_t at) {
    const simd::Record<T>& record = lists.records[row];
    matching.assign(row, record.column[at], duals.grid.round(static_cast<double>(record.cost[at])));
  }
};

}  // namespace rebasin::assignment
