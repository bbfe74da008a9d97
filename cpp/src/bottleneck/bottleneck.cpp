#include "rebasin/bottleneck.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <numeric>
#include <utility>

#include "bottleneck/candidates.hpp"
#include "bottleneck/costs.hpp"
#include "bottleneck/matching.hpp"
#include "parallel_problems.hpp"
#include "simd/kernels.hpp"

namespace rebasin {
namespace bottleneck {
namespace {

// Thresholds that failed before the entries between the bounds are halved: most problems need fewer.
constexpr std::int64_t rises = 6;

constexpr std::int64_t rows_between_polls = 64;

template <class T>
class Solver {
 public:
  Solver(const AnyCostView& cost, BottleneckSolution& solution, Interrupt& interrupt)
      : costs_(cost),
        kernels_(simd::threshold_kernels<T>()),
        solution_(solution),
        interrupt_(interrupt),
        matching_(costs_.rows(), costs_.columns()),
        candidates_(costs_) {}

  Status run() {
    Status status = find_first_bound();
    const std::vector<std::int32_t> none(costs_.rows(), -1);
    std::vector<std::int32_t> below = none;  // a matching of entries up to the lower bound
    std::vector<std::int32_t> best;          // a complete one, whose largest entry is `high_`
    while (status == Status::ok && (best.empty() || low_ < high_)) {
      std::optional<T> middle;
      if (solution_.counters.thresholds >= rises) middle = candidates_.between(low_, high_);
      status = try_threshold(middle.value_or(low_));
      if (status != Status::ok) break;
      if (matching_.is_complete()) {
        best = matching_.columns();
        high_ = largest(best);
        matching_.restore(below);
      } else {
        status = raise_bound();
        below = matching_.columns();
      }
    }
    solution_.counters.phases = matching_.phases;
    if (status == Status::ok) write(best);
    orient_block();
    return status;
  }

 private:
  // The largest row minimum, and in a square also the largest column minimum.
  Status find_first_bound() {
    const std::int64_t n = costs_.rows();
    const std::int64_t m = costs_.columns();
    std::vector<T> minima(m, unreachable);
    bool nan = false;
    for (std::int64_t i = 0; i < n; ++i) {
      if (stop_requested(i)) return Status::interrupted;
      const simd::RowLeast<T> row = kernels_.lower(costs_.row(i), minima.data(), m);
      nan = nan || row.nan;
      if (i == 0 || low_ < row.least) {
        low_ = row.least;
        block_ = {{i}, range(m)};
      }
    }
    if (nan || (forbids && *std::min_element(minima.begin(), minima.end()) == -unreachable)) {
      return Status::invalid_entry;
    }
    const auto hardest = std::max_element(minima.begin(), minima.end());
    if (n == m && low_ < *hardest) {
      low_ = *hardest;
      block_ = {range(n), {hardest - minima.begin()}};
    }
    return forbids && low_ == unreachable ? Status::infeasible : Status::ok;
  }

  Status try_threshold(T threshold) {
    ++solution_.counters.thresholds;
    for (std::int64_t i = 0; i < costs_.rows(); ++i) {
      if (stop_requested(i)) return Status::interrupted;
      kernels_.mark(costs_.row(i), threshold, matching_.bits(i), costs_.columns());
    }
    matching_.grow();
    return Status::ok;
  }

  // Rows that f unmatched rows reach need f columns beyond those reached: the f-th smallest of the
  // least costs in those columns bounds the bottleneck. The rows and the columns from that cost on are the
  // block.
  Status raise_bound() {
    std::vector<std::int64_t> reached = matching_.reached_rows();
    std::vector<T> slack(costs_.columns(), unreachable);
    for (const std::int64_t i : reached) {
      if (stop_requested(i)) return Status::interrupted;
      kernels_.lower(costs_.row(i), slack.data(), costs_.columns());
    }
    std::vector<T> beyond;
    for (std::int64_t j = 0; j < costs_.columns(); ++j) {
      if (!matching_.is_reached(j)) beyond.push_back(slack[j]);
    }
    const auto needed = beyond.begin() + (matching_.unmatched_rows() - 1);
    std::nth_element(beyond.begin(), needed, beyond.end());
    low_ = *needed;
    std::vector<std::int64_t> columns;
    for (std::int64_t j = 0; j < costs_.columns(); ++j) {
      if (!matching_.is_reached(j) && !(slack[j] < low_)) columns.push_back(j);
    }
    block_ = {std::move(reached), std::move(columns)};
    return forbids && low_ == unreachable ? Status::infeasible : Status::ok;
  }

  // Polls once per many rows: the clock costs as much as a short row.
  bool stop_requested(std::int64_t row) {
    return row % rows_between_polls == rows_between_polls - 1 && interrupt_.requested();
  }

  T largest(const std::vector<std::int32_t>& columns) const {
    T most = costs_.row(0)[columns[0]];
    for (std::int64_t i = 1; i < costs_.rows(); ++i) most = std::max(most, costs_.row(i)[columns[i]]);
    return most;
  }

  void write(const std::vector<std::int32_t>& columns) {
    const bool transposed = costs_.transposed();
    solution_.columns.assign(transposed ? costs_.columns() : costs_.rows(), -1);
    for (std::int64_t i = 0; i < costs_.rows(); ++i) {
      const std::int64_t j = columns[i];
      solution_.columns[transposed ? j : i] = transposed ? i : j;
      if (costs_.row(i)[j] != high_) continue;
      solution_.row = transposed ? j : i;
      solution_.column = transposed ? i : j;
    }
  }

  void orient_block() {
    if (costs_.transposed()) std::swap(block_.rows, block_.columns);
    solution_.block_rows = std::move(block_.rows);
    solution_.block_columns = std::move(block_.columns);
  }

  static std::vector<std::int64_t> range(std::int64_t count) {
    std::vector<std::int64_t> all(count);
    std::iota(all.begin(), all.end(), std::int64_t{0});
    return all;
  }

  static constexpr bool forbids = std::numeric_limits<T>::has_infinity;
  static constexpr T unreachable =
      forbids ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();

  struct Block {
    std::vector<std::int64_t> rows;
    std::vector<std::int64_t> columns;
  };

  Costs<T> costs_;
  const simd::ThresholdKernels<T>& kernels_;
  BottleneckSolution& solution_;
  Interrupt& interrupt_;
  BitMatching matching_;
  Candidates<T> candidates_;
  T low_{};
  T high_ = unreachable;
  Block block_;
};

Status solve(const AnyCostView& cost, BottleneckSolution& solution, Interrupt& interrupt) {
  solution = {};
  if (std::min(cost.rows, cost.columns) == 0) {
    solution.columns.assign(cost.rows, -1);
    return Status::ok;
  }
  switch (cost.dtype) {
    case DType::float64:
    case DType::int32:
    case DType::uint32:
      return Solver<double>(cost, solution, interrupt).run();
    case DType::int64:
    case DType::uint64:
      return Solver<std::int64_t>(cost, solution, interrupt).run();
    default:
      return Solver<float>(cost, solution, interrupt).run();
  }
}

}  // namespace
}  // namespace bottleneck

Status bottleneck_assignment(const AnyCostView& cost, BottleneckSolution& solution, Interrupt& interrupt) {
  try {
    return bottleneck::solve(cost, solution, interrupt);
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

void bottleneck_assignment(const AnyCostView* costs, std::int64_t count, BottleneckSolution* solutions,
                           Status* statuses, int threads, Interrupt& interrupt) {
  solve_on_threads(count, threads, statuses, interrupt, [&] {
    return [&](std::int64_t k, Interrupt& own) { return bottleneck_assignment(costs[k], solutions[k], own); };
  });
}

}  // namespace rebasin
