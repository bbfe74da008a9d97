#include "assignment/row_reduction.hpp"

#include <limits>

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int rounds = 2;

struct TwoBest {
  double best = infinity;
  double second = infinity;
  std::int64_t best_column = unassigned;
  std::int64_t second_column = unassigned;
};

template <class T>
TwoBest find_two_best(const T* run, double scale, const std::vector<double>& v) {
  TwoBest found;
  for (std::int64_t j = 0; j < static_cast<std::int64_t>(v.size()); ++j) {
    const double reduced = scale * static_cast<double>(run[j]) - v[j];
    if (reduced >= found.second) continue;
    if (reduced < found.best) {
      found.second = found.best;
      found.second_column = found.best_column;
      found.best = reduced;
      found.best_column = j;
    } else {
      found.second = reduced;
      found.second_column = j;
    }
  }
  return found;
}

enum class Eviction { none, at_once, postponed };

// Gives `row` a column; `evicted` is the row that held it.
Eviction settle(std::int64_t row, const TwoBest& two, MatchingState& state, std::int64_t& evicted) {
  std::int64_t column = two.best_column;
  bool lowered = false;
  if (two.second < infinity) {
    const double price = state.v[column] - (two.second - two.best);
    lowered = price < state.v[column];
    state.v[column] = price;
  }
  evicted = state.row_of[column];
  if (!lowered && evicted != unassigned && two.second_column != unassigned && two.second == two.best) {
    column = two.second_column;
    evicted = state.row_of[column];
  }
  state.assign(row, column);
  if (evicted == unassigned) return Eviction::none;
  state.column_of[evicted] = unassigned;
  return lowered ? Eviction::at_once : Eviction::postponed;
}

}  // namespace

template <class T>
Status reduce_rows(const CostRows<T>& costs, MatchingState& state, std::int64_t scans, Interrupt& interrupt) {
  std::vector<T> buffer(costs.columns());
  std::vector<std::int64_t>& free_rows = state.free_rows;
  std::vector<std::int64_t> postponed;
  for (int round = 0; round < rounds && !free_rows.empty() && scans > 0; ++round) {
    postponed.clear();
    std::int64_t next = 0;
    const auto count = static_cast<std::int64_t>(free_rows.size());
    while (next < count && scans-- > 0) {
      if (interrupt.requested()) return Status::interrupted;
      const std::int64_t row = free_rows[next++];
      const TwoBest two = find_two_best(costs.row(row, buffer.data()), costs.scale(), state.v);
      if (two.best_column == unassigned) return Status::infeasible;
      std::int64_t evicted = unassigned;
      const Eviction eviction = settle(row, two, state, evicted);
      if (eviction == Eviction::at_once) free_rows[--next] = evicted;
      if (eviction == Eviction::postponed) postponed.push_back(evicted);
    }
    postponed.insert(postponed.end(), free_rows.begin() + next, free_rows.end());
    free_rows.swap(postponed);
  }
  return Status::ok;
}

template Status reduce_rows<float>(const CostRows<float>&, MatchingState&, std::int64_t, Interrupt&);
template Status reduce_rows<double>(const CostRows<double>&, MatchingState&, std::int64_t, Interrupt&);

}  // namespace rebasin::assignment
