#include <algorithm>
#include <vector>

#include "assignment/lists/stages.hpp"
#include "assignment/lists/start/start.hpp"

namespace rebasin::assignment {
namespace {

// The row's best entry leads by more than `share` of the spread of the rest of its list.
template <class T>
bool best_stands_out(const simd::Scan<T>& found, T share) {
  constexpr int compared = 8;
  if (found.invalid || found.count <= compared) return false;
  return found.reduced[1] - found.reduced[0] > share * (found.reduced[compared] - found.reduced[1]);
}

}  // namespace

template <class T>
BestEntries sample_best_entries(ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 16;
  constexpr std::int64_t rows_to_be_apart = 8;
  constexpr std::int64_t failures_allowed = 7;
  constexpr std::int64_t failures_when_apart = 2;
  // Normal and uniform entries lead by 0.4 of the spread in half of the rows, Cauchy's by 1.3.
  constexpr T share = static_cast<T>(0.8);
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  std::vector<std::int32_t> wanted;
  std::int64_t seen = 0;
  std::int64_t failures = 0;
  std::int64_t contested = 0;  // rows whose best entry does not stand out, or lies in another's column
  BestEntries found;
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    scan_row(state, i);
    if (!best_stands_out(state.lists.found, share) && ++failures > failures_allowed) return found;
    const std::int32_t column = state.lists.found.column[0];
    const bool apart = best_stands_out(state.lists.found, T{1}) &&
                       std::find(wanted.begin(), wanted.end(), column) == wanted.end();
    contested += apart ? 0 : 1;
    wanted.push_back(column);
    if (++seen == rows_to_be_apart && contested <= failures_when_apart) {
      return {.lead = true, .apart = true};
    }
  }
  found.lead = true;
  return found;
}

template <class T>
bool rows_stand_out(ListState<T>& state, std::int64_t sampled_rows) {
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  const std::int64_t allowed = sampled_rows / 4;
  std::int64_t failures = 0;
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    if (state.presolve.removed[i] != 0) continue;
    scan_row(state, i);
    if (!best_stands_out(state.lists.found, T{1}) && ++failures > allowed) return false;
  }
  return true;
}

template BestEntries sample_best_entries<float>(ListState<float>&);
template BestEntries sample_best_entries<double>(ListState<double>&);
template bool rows_stand_out<float>(ListState<float>&, std::int64_t);
template bool rows_stand_out<double>(ListState<double>&, std::int64_t);

}  // namespace rebasin::assignment
