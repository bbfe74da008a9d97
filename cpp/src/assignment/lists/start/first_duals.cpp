#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "assignment/costs/column_minima.hpp"
#include "assignment/lists/stages.hpp"
#include "assignment/lists/start/start.hpp"

namespace rebasin::assignment {
namespace {

constexpr int coarse_blocks = 4;
constexpr int most_fine_per_coarse = 16;
constexpr std::int64_t fewest_rows_in_block = 8;

// Sums over blocks of rows, per column. Blocks without a finite entry do not count.
template <class T>
struct BlockSums {
  std::vector<T> sum;
  std::vector<T> squares;
  std::vector<T> blocks;

  explicit BlockSums(std::int64_t columns)
      : sum(columns, T{0}), squares(columns, T{0}), blocks(columns, T{0}) {}

  void add(const simd::KernelsFor<T>& kernels, const std::vector<T>& minima) {
    kernels.add_minima(minima.data(), static_cast<std::int64_t>(minima.size()), sum.data(), squares.data(),
                       blocks.data());
  }
};

// Number of blocks that attain the least of their column: more than one means costs of few values.
template <class T>
struct TieCount {
  std::vector<T> least;
  std::vector<std::int32_t> blocks;
  std::array<std::int64_t, coarse_blocks>
      lowered{};  // in how many columns each block went below those before it
  std::size_t added = 0;

  explicit TieCount(std::int64_t columns)
      : least(columns, std::numeric_limits<T>::infinity()), blocks(columns) {}

  void add(const std::vector<T>& minima) {
    std::int64_t lower = 0;
    for (std::size_t j = 0; j < minima.size(); ++j) {
      lower += minima[j] < least[j] ? 1 : 0;
      blocks[j] = minima[j] < least[j] ? 1 : blocks[j] + (minima[j] == least[j] ? 1 : 0);
      least[j] = std::min(least[j], minima[j]);
    }
    lowered[added++] = lower;
  }

  // Positive costs of many magnitudes, in no order of rows: the mean of a column's minima is then one block's
  // alone, and later blocks go below earlier ones in some columns, not in none or all.
  bool far_below(const BlockSums<T>& sums) const {
    constexpr T magnitude = 8;
    std::size_t far = 0;
    for (std::size_t j = 0; j < least.size(); ++j) {
      const T mean = sums.sum[j] / sums.blocks[j];
      far += least[j] > T{0} && least[j] < mean / magnitude ? 1 : 0;
    }
    const auto [fewest, most] = std::minmax_element(lowered.begin() + 1, lowered.end());
    const auto columns = static_cast<std::int64_t>(least.size());
    return far * 2 > least.size() && *fewest * 16 > columns && *most * 8 < columns * 7;
  }

  // Whether most columns' least is met in more than one block.
  bool are_met_again() const {
    std::int64_t hits = 0;
    for (const std::int32_t count : blocks) hits += count;
    return hits * 2 > static_cast<std::int64_t>(blocks.size()) * 3;
  }

  std::int64_t count_values() const {
    std::vector<T> values = least;
    std::sort(values.begin(), values.end());
    return std::unique(values.begin(), values.end()) - values.begin();
  }
};

// How much more the columns' mean minima differ than blocks within a column would make them: about 1 for
// columns alike, large where columns have scales or offsets of their own.
template <class T>
double variance_ratio(const BlockSums<T>& sums) {
  double total = 0.0;
  double total_squares = 0.0;
  double within = 0.0;
  double columns = 0.0;
  for (std::size_t j = 0; j < sums.sum.size(); ++j) {
    const auto blocks = static_cast<double>(sums.blocks[j]);
    if (blocks < 2.0) continue;
    const double mean = static_cast<double>(sums.sum[j]) / blocks;
    within += std::max(0.0, static_cast<double>(sums.squares[j]) / blocks - mean * mean) / blocks;
    total += mean;
    total_squares += mean * mean;
    columns += 1.0;
  }
  if (columns < 2.0) return 1.0;
  const double between = std::max(0.0, total_squares - total * total / columns);
  return within > 0.0 ? between / within : 1.0;
}

// Means of minima over few blocks of many rows suit columns alike, whose duals follow their extremes; means
// over many blocks of few rows suit columns of different scales, where extremes would make the large ones too
// attractive.
template <class T>
Attempt average_block_minima(ListState<T>& state, Interrupt& interrupt) {
  constexpr double heterogeneous = 4.0;
  constexpr std::int64_t rows_to_read_half = 4096;
  const std::int64_t m = state.columns;
  const int fine_per_coarse = static_cast<int>(
      std::clamp<std::int64_t>(state.rows / (coarse_blocks * fewest_rows_in_block), 1, most_fine_per_coarse));
  const int fine_blocks = coarse_blocks * fine_per_coarse;
  ColumnMinima<T> columns(state.costs);
  std::vector<T> minima(m);
  std::vector<T> coarse_minima(m);
  TieCount<T> ties(m);
  BlockSums<T> fine(m);
  BlockSums<T> coarse(m);
  for (int block = 0; block < fine_blocks; ++block) {
    if (interrupt.requested()) return Attempt::interrupted;
    const std::int64_t first = state.rows * block / fine_blocks;
    const std::int64_t rows_in_block = state.rows * (block + 1) / fine_blocks - first;
    const std::int64_t read = state.rows >= rows_to_read_half ? rows_in_block / 2 : rows_in_block;
    std::fill(minima.begin(), minima.end(), std::numeric_limits<T>::infinity());
    columns.lower(first, first + read, minima);
    state.counters.entries_read += read * m;
    fine.add(state.kernels, minima);
    if (block % fine_per_coarse == 0) {
      coarse_minima = minima;
    } else {
      const T* run = minima.data();
      state.kernels.lower_minima(&run, 1, T{0}, m, coarse_minima.data());
    }
    if (block % fine_per_coarse == fine_per_coarse - 1) {
      coarse.add(state.kernels, coarse_minima);
      ties.add(coarse_minima);
    }
  }
  if (ties.are_met_again()) {
    // Columns without an entry of their own, or copies of one another, tie too, but leave many values.
    const std::int64_t values = ties.count_values();
    state.traits.mostly_ties = values * 8 <= m;
    state.traits.columns_repeat = values * 2 <= m;
  }
  if (state.traits.mostly_ties) {
    for (std::int64_t j = 0; j < m; ++j) {
      if (!std::isfinite(ties.least[j])) return Attempt::declined;
      state.duals.v[j] = static_cast<double>(ties.least[j]);
      state.duals.v_up[j] = ties.least[j];
    }
    return Attempt::solved;
  }
  const BlockSums<T>& chosen = variance_ratio(fine) > heterogeneous ? fine : coarse;
  state.traits.minima_far_apart = ties.far_below(coarse);
  for (std::int64_t j = 0; j < m; ++j) {
    const T mean = state.traits.minima_far_apart ? ties.least[j] : chosen.sum[j] / chosen.blocks[j];
    if (!std::isfinite(mean)) return Attempt::declined;
    state.duals.v[j] = static_cast<double>(mean);
    state.duals.v_up[j] = mean;
  }
  return Attempt::solved;
}

}  // namespace

template <class T>
Attempt start_duals(ListState<T>& state, Interrupt& interrupt) {
  if (state.rows == state.columns) {
    const Attempt attempt = average_block_minima(state, interrupt);
    if (attempt != Attempt::solved) return attempt;
  }
  return state.traits.mostly_ties ? Attempt::solved : put_on_grid(state);
}

template Attempt start_duals<float>(ListState<float>&, Interrupt&);
template Attempt start_duals<double>(ListState<double>&, Interrupt&);

}  // namespace rebasin::assignment
