// A row's candidates in the order of the host's solver.
#pragma once

#include <cstdint>

#include "cuda/candidate_row.hpp"

namespace rebasin::cuda {

// The shared memory of a warp while it lists one row.
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
