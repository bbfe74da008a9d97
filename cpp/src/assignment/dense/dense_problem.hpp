// The problem and state of the stages on whole rows.
#pragma once

#include <limits>
#include <vector>

#include "assignment/costs/cost_rows.hpp"
#include "assignment/matching_state.hpp"
#include "rebasin/interrupt.hpp"
#include "simd/kernels.hpp"

namespace rebasin::assignment {

// A problem, its matching and duals, and how its rows are read. While it lives, state.v is padded to whole
// blocks with zeros.
template <class T>
struct DenseProblem {
  const CostRows<T>& costs;
  MatchingState& state;
  AssignmentCounters& counters;
  Interrupt& interrupt;
  double price;  // a row may stay without a column at it; +inf: every row needs one
  const simd::KernelsFor<T>& kernels = simd::kernels<T>();
  std::int64_t rows = costs.rows();
  std::int64_t columns = costs.columns();
  T sign_mask = costs.sign_mask();
  std::vector<T> buffer = costs.make_buffer();
  std::vector<double> pair_cost = std::vector<double>(rows);  // of matched rows
  std::int64_t steps = 0;

  DenseProblem(const CostRows<T>& problem, MatchingState& matching, double unmatched_price,
               AssignmentCounters& counts, Interrupt& caller)
      : costs(problem), state(matching), counters(counts), interrupt(caller), price(unmatched_price) {
    state.v.resize(simd::whole_blocks(columns), 0.0);
  }
  ~DenseProblem() { state.v.resize(columns); }
  DenseProblem(const DenseProblem&) = delete;
  DenseProblem& operator=(const DenseProblem&) = delete;

  bool square() const { return rows == columns && price == std::numeric_limits<double>::infinity(); }

  const T* row(std::int64_t i) {
    counters.entries_read += columns;
    return costs.row(i, buffer.data());
  }

  simd::RowBid bid(std::int64_t i) { return kernels.bid_row(row(i), sign_mask, columns, state.v.data()); }

  void assign(std::int64_t i, std::int64_t j) {
    state.assign(i, j);
    pair_cost[i] = costs.at(i, j);
  }

  // Reading the clock costs as much as a short row does.
  bool stop_requested() {
    constexpr std::int64_t rows_between_polls = 32;
    return ++steps % rows_between_polls == 0 && interrupt.requested();
  }
};

}  // namespace rebasin::assignment
