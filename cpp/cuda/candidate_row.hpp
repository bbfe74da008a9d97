// The few smallest reduced costs of a row, and a bound on all the others, found by one warp.
#pragma once

#include <cstdint>

#include "cuda/cost_matrix.hpp"
#include "cuda/host_device.hpp"

namespace rebasin::cuda {

inline constexpr int list_capacity = 24;  // the host solver's record_capacity
inline constexpr int bucket_count = 32;
inline constexpr int buckets_below = 13;  // their minima are listed: about 17 entries of a row without ties

using ListColumn = std::uint16_t;
inline constexpr std::int64_t most_columns = 1 << 16;

struct RowCandidates {
  double best;   // +inf where the row has no finite entry
  double bound;  // at or below the reduced cost of every unlisted entry; the least of them, exactly
  double width;  // from the best listed entry to the largest that a list of usual length holds; 0 if unknown
};

// Entries of one row, read cyclically from a column of its own: rows alike then list different ties.
template <class T>
class RotatedRow {
 public:
  REBASIN_HD RotatedRow(const CostMatrix<T>& costs, const Grid& grid, const double* v, std::int64_t row)
      : costs_(costs), grid_(grid), v_(v), row_(row), start_(row * 40503 % costs.columns) {}

  REBASIN_HD std::int64_t column(std::int64_t k) const {
    const std::int64_t j = start_ + k;
    return j < costs_.columns ? j : j - costs_.columns;
  }
  REBASIN_HD double cost(std::int64_t k) const { return costs_.at(row_, column(k)); }
  REBASIN_HD double reduced(std::int64_t k) const { return grid_.round(cost(k)) - v_[column(k)]; }

 private:
  const CostMatrix<T>& costs_;
  const Grid& grid_;
  const double* v_;
  std::int64_t row_;
  std::int64_t start_;
};

// The buckets_below-th smallest of the bucket minima; +inf where all finite entries are to be listed.
template <class Warp>
REBASIN_HD double find_threshold(Warp& warp, const double* minima) {
  double found = -infinity;
  for (int b = warp.rank(); b < bucket_count; b += warp.size()) {
    int before = 0;
    for (int s = 0; s < bucket_count; ++s) {
      before += minima[s] < minima[b] || (minima[s] == minima[b] && s < b) ? 1 : 0;
    }
    if (before == buckets_below - 1) found = minima[b];
  }
  return warp.reduce(found, Max());
}

// An action on every entry as it is first read.
struct NoVisitor {
  REBASIN_HD void operator()(std::int64_t, double) const {}
};

// Fills a list of list_capacity entries, padded with cost +inf and column 0; unsorted, in an order that does
// not depend on the warp's size. `minima` is scratch of bucket_count doubles that the warp shares. Costs are
// stored as counted: negated to maximise. Two reads of the row, the second from the cache; visit(column,
// cost) is called once an entry.
template <class Warp, class T, class Column, class Visitor = NoVisitor>
REBASIN_HD_CALL RowCandidates list_candidates(Warp warp, const CostMatrix<T> costs, const Grid grid,
                                              const double* v, std::int64_t row, double* minima, T* list_cost,
                                              Column* list_column, const Visitor visit = Visitor()) {
  const RotatedRow<T> entries(costs, grid, v, row);
  warp.sync();
  double best = infinity;
  for (int b = warp.rank(); b < bucket_count; b += warp.size()) {
    double least = infinity;
    for (std::int64_t k = b; k < costs.columns; k += bucket_count) {
      visit(entries.column(k), entries.cost(k));
      least = smaller(least, entries.reduced(k));
    }
    minima[b] = least;
    best = smaller(best, least);
  }
  best = warp.reduce(best, Min());
  warp.sync();
  const double threshold = costs.columns > list_capacity ? find_threshold(warp, minima) : infinity;

  int count = 0;
  double unlisted = infinity;
  for (std::int64_t first = 0; first < costs.columns; first += warp.size()) {
    const std::int64_t k = first + warp.rank();
    const bool inside = k < costs.columns;
    const double reduced = inside ? entries.reduced(k) : infinity;
    const bool wanted = reduced <= threshold && reduced < infinity;
    const int place = warp.append(wanted, count);
    if (wanted && place < list_capacity) {
      list_cost[place] = static_cast<T>(entries.cost(k));
      list_column[place] = static_cast<Column>(entries.column(k));
    } else {
      unlisted = smaller(unlisted, reduced);
    }
  }
  for (int place = count + warp.rank(); place < list_capacity; place += warp.size()) {
    list_cost[place] = static_cast<T>(infinity);
    list_column[place] = 0;
  }
  const double bound = warp.reduce(unlisted, Min());
  warp.sync();
  return {best, bound, threshold < infinity ? threshold - best : 0.0};
}

// A row's candidates in the order in which the host's solver wants them.

// What a warp shares while it lists one row.
template <class T>
struct ListScratch {
  double minima[bucket_count];
  double reduced[list_capacity];
  T cost[list_capacity];
  std::int32_t column[list_capacity];
};

// Lists row `row` into costs[list_capacity] and columns[list_capacity], ascending by cost - v, and returns
// its bound. Costs are taken as they are, without a grid.
template <class Warp, class T, class Visitor>
REBASIN_HD double list_sorted(Warp& warp, const CostMatrix<T>& matrix, const double* v, std::int64_t row,
                              ListScratch<T>& scratch, T* costs, std::int32_t* columns,
                              const Visitor& visit) {
  const RowCandidates found =
      list_candidates(warp, matrix, Grid{}, v, row, scratch.minima, scratch.cost, scratch.column, visit);
  for (int place = warp.rank(); place < list_capacity; place += warp.size()) {
    scratch.reduced[place] = static_cast<double>(scratch.cost[place]) - v[scratch.column[place]];
  }
  warp.sync();
  for (int place = warp.rank(); place < list_capacity; place += warp.size()) {
    const double own = scratch.reduced[place];
    int before = 0;
    for (int other = 0; other < list_capacity; ++other) {
      const double theirs = scratch.reduced[other];
      before += theirs < own || (theirs == own && other < place) ? 1 : 0;
    }
    costs[before] = scratch.cost[place];
    columns[before] = scratch.column[place];
  }
  warp.sync();
  return found.bound;
}

}  // namespace rebasin::cuda
