#include <algorithm>
#include <cmath>
#include <limits>

#include "assignment/lists/stages.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// A lower bound on the grid reduced cost of an entry whose reduced cost rounds to `reduced` in T.
template <class T>
double loosened(double reduced, double step) {
  constexpr double relative = sizeof(T) == 4 ? 0x1p-23 : 0x1p-51;
  if (reduced == infinity) return infinity;
  return reduced - std::abs(reduced) * relative - step;
}

// Takes the first entries within the grid; the others lower the bound.
template <class T>
double keep_within_grid(simd::Scan<T>& found, const GridDuals<T>& duals, double bound) {
  const Grid& grid = duals.grid;
  int kept = 0;
  for (int k = 0; k < found.count; ++k) {
    const auto cost = static_cast<double>(found.cost[k]);
    if (kept == simd::record_capacity || std::abs(cost) > grid.limit) {
      // Valid for the cost and for its grid image alike.
      const double image = cost > grid.limit ? grid.limit : grid.round(cost);
      bound = std::min(bound, (image > cost ? image - grid.step : image) - duals.v[found.column[k]]);
      continue;
    }
    found.cost[kept] = found.cost[k];
    found.column[kept] = found.column[k];
    found.reduced[kept] = found.reduced[k];
    ++kept;
  }
  for (int k = kept; k < simd::record_capacity; ++k) {
    found.cost[k] = found.reduced[k] = std::numeric_limits<T>::infinity();
    found.column[k] = 0;
  }
  found.count = kept;
  return bound;
}

template <class T>
bool write_record(simd::Scan<T>& found, const GridDuals<T>& duals, simd::Record<T>& record) {
  const Grid& grid = duals.grid;
  const auto threshold = static_cast<double>(found.threshold);
  if (found.count == 0 || threshold < -grid.limit || found.reduced[0] < -grid.limit) return false;
  record.bound = grid.round_down(threshold);
  // Duals stay within half the limit, so entries whose reduced costs stay within the other half are on the
  // grid.
  const bool surely_within = threshold < grid.limit / 2 && found.reduced[0] > -grid.limit / 2;
  if (!surely_within || found.count > simd::record_capacity) {
    record.bound = keep_within_grid(found, duals, record.bound);
  }
  std::copy_n(found.cost, simd::record_capacity, record.cost);
  std::copy_n(found.column, simd::record_capacity, record.column);
  for (int group = 0; group < simd::record_groups; ++group) {
    record.group_bound[group] = loosened<T>(static_cast<double>(found.reduced[8 * group]), grid.step);
  }
  return found.count > 0;
}

// Scans in T may place the bound a last bit below the best entry when v has more bits than T. Then the row's
// exact least reduced cost is the bound, and its column belongs on the list.
template <class T>
void sharpen_bound(ListState<T>& state, std::int64_t i) {
  const T* run = state.costs.row(i, state.buffer.data());
  const bool negate = state.costs.scale() < 0;
  double least = infinity;
  std::int32_t where = 0;
  bool on_grid = true;
  for (std::int64_t j = 0; j < state.columns; ++j) {
    const double cost = static_cast<double>(negate ? -run[j] : run[j]);
    const double image = state.duals.grid.round(cost);
    const double reduced = image - state.duals.v[j];
    on_grid &= image == cost || std::abs(cost) > state.duals.grid.limit;
    if (reduced < least && std::abs(cost) <= state.duals.grid.limit) {
      least = reduced;
      where = static_cast<std::int32_t>(j);
    }
  }
  state.counters.entries_read += state.columns;
  simd::Record<T>& record = state.lists.records[i];
  bool listed = false;
  for (int k = 0; k < simd::record_capacity; ++k) {
    listed |= record.column[k] == where && record.cost[k] < std::numeric_limits<T>::infinity();
  }
  if (!listed) {
    constexpr int last = simd::record_capacity - 1;
    record.cost[last] = negate ? -run[where] : run[where];
    record.column[last] = where;
    for (double& group : record.group_bound) group = std::min(group, least);
  }
  record.bound = least;
  state.lists.bound_is_rounded[i] = on_grid ? 0 : 1;
}

// The row to fetch towards the cache, where rows are read in place.
template <class T>
const T* next_row(const ListState<T>& state, std::int64_t i) {
  return state.costs.direct() && i + 1 < state.rows ? state.costs.row(i + 1, nullptr) : nullptr;
}

// scan(i) and a list for every row that presolve left; a whole list where that scan finds nothing, if
// `rescan_empty`.
template <class T, class Scan>
Attempt build_each(ListState<T>& state, bool rescan_empty, Interrupt& interrupt, const Scan& scan) {
  const simd::Scan<T>& found = state.lists.found;
  for (std::int64_t i = 0; i < state.rows; ++i) {
    if (i % 64 == 0 && interrupt.requested()) return Attempt::interrupted;
    if (state.presolve.removed[i] != 0) continue;
    scan(i);
    if (found.invalid) return Attempt::declined;
    const bool built = found.count == 0 && rescan_empty
                           ? rebuild_list(state, i)
                           : write_record(state.lists.found, state.duals, state.lists.records[i]);
    if (!built) return Attempt::declined;
  }
  return Attempt::solved;
}

}  // namespace

template <class T>
void scan_row(ListState<T>& state, std::int64_t i) {
  // In longer rows the search for a threshold matters less than the second read where a guess fails.
  constexpr std::int64_t short_row = 256;
  const T* run = state.costs.row(i, state.buffer.data());
  // Equal rows begin their ties in different places; the multiplier spreads consecutive rows over the
  // columns.
  const std::int64_t start = i * 40503 % state.columns;
  const bool guess = state.columns <= short_row;
  const T threshold = state.lists.guess.threshold;
  state.kernels.scan(run, state.duals.v_up.data(), state.sign_mask, state.columns, start,
                     guess && state.lists.guess.trust > 0 ? &threshold : nullptr, next_row(state, i),
                     state.lists.masks.data(), state.lists.found);
  if (guess) state.lists.guess.learn(state.lists.found);
  state.counters.entries_read += state.columns;
}

template <class T>
Attempt build_lists(ListState<T>& state, Interrupt& interrupt) {
  return build_each(state, false, interrupt, [&](std::int64_t i) { scan_row(state, i); });
}

template <class T>
Attempt build_best_only(ListState<T>& state, Interrupt& interrupt) {
  return build_each(state, true, interrupt, [&](std::int64_t i) {
    state.kernels.scan_best(state.costs.row(i, state.buffer.data()), state.duals.v_up.data(), state.sign_mask,
                            state.columns, next_row(state, i), state.lists.found);
    state.counters.entries_read += state.columns;
  });
}

template <class T>
Attempt build_lists_below(ListState<T>& state, const std::vector<T>& thresholds, Interrupt& interrupt) {
  return build_each(state, true, interrupt, [&](std::int64_t i) {
    state.kernels.scan_below(state.costs.row(i, state.buffer.data()), state.duals.v_up.data(),
                             state.sign_mask, state.columns, thresholds[i], next_row(state, i),
                             state.lists.masks.data(), state.lists.found);
    state.counters.entries_read += state.columns;
  });
}

template <class T>
bool rebuild_list(ListState<T>& state, std::int64_t i) {
  ++state.counters.refills;
  state.lists.bound_is_rounded[i] = 0;
  scan_row(state, i);
  return !state.lists.found.invalid && write_record(state.lists.found, state.duals, state.lists.records[i]);
}

template <class T>
simd::TwoBest find_best(ListState<T>& state, std::int64_t i) {
  const simd::Record<T>& record = state.lists.records[i];
  simd::TwoBest two = state.kernels.two_best(record, state.duals.v.data(), state.duals.grid.magic);
  if (two.best > record.bound) {
    if (!rebuild_list(state, i)) return {infinity, infinity, 0};
    two = state.kernels.two_best(record, state.duals.v.data(), state.duals.grid.magic);
    if (two.best > record.bound) {
      sharpen_bound(state, i);
      two = state.kernels.two_best(record, state.duals.v.data(), state.duals.grid.magic);
    }
  }
  two.second = std::min(two.second, record.bound);
  return two;
}

template void scan_row<float>(ListState<float>&, std::int64_t);
template void scan_row<double>(ListState<double>&, std::int64_t);
template Attempt build_lists<float>(ListState<float>&, Interrupt&);
template Attempt build_lists<double>(ListState<double>&, Interrupt&);
template Attempt build_best_only<float>(ListState<float>&, Interrupt&);
template Attempt build_best_only<double>(ListState<double>&, Interrupt&);
template Attempt build_lists_below<float>(ListState<float>&, const std::vector<float>&, Interrupt&);
template Attempt build_lists_below<double>(ListState<double>&, const std::vector<double>&, Interrupt&);
template bool rebuild_list<float>(ListState<float>&, std::int64_t);
template bool rebuild_list<double>(ListState<double>&, std::int64_t);
template simd::TwoBest find_best<float>(ListState<float>&, std::int64_t);
template simd::TwoBest find_best<double>(ListState<double>&, std::int64_t);

}  // namespace rebasin::assignment
