#include "assignment/aligned_rows.hpp"

#include <algorithm>

#include "assignment/candidates.hpp"

namespace rebasin::assignment {
namespace {

// The row's best entry leads by more than `share` of what the rest of its list spreads.
template <class T>
bool best_stands_out(const simd::Scan<T>& found, T share) {
  constexpr int compared = 8;
  if (found.invalid || found.count <= compared) return false;
  return found.reduced[1] - found.reduced[0] > share * (found.reduced[compared] - found.reduced[1]);
}

}  // namespace

template <class T>
bool rows_stand_out(ListState<T>& state, std::int64_t sampled_rows, bool apart) {
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  const std::int64_t allowed = sampled_rows / 4;
  std::int64_t failures = 0;
  std::vector<std::int32_t> wanted;
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    if (state.frozen[i] != 0) continue;
    scan_row(state, i);
    const bool fails = !best_stands_out(state.found, T{1});
    if (fails && ++failures > allowed) return false;
    if (fails || !apart) continue;
    if (std::find(wanted.begin(), wanted.end(), state.found.column[0]) != wanted.end()) return false;
    wanted.push_back(state.found.column[0]);
  }
  return true;
}

template <class T>
bool best_entries_lead(ListState<T>& state) {
  constexpr std::int64_t sampled_rows = 16;
  constexpr std::int64_t allowed = 7;
  // Normal and uniform entries lead by 0.4 of the spread in half of the rows, Cauchy's by 1.3.
  constexpr T share = static_cast<T>(0.8);
  const std::int64_t stride = std::max<std::int64_t>(1, state.rows / sampled_rows);
  std::int64_t failures = 0;
  for (std::int64_t i = stride / 2; i < state.rows; i += stride) {
    scan_row(state, i);
    if (!best_stands_out(state.found, share) && ++failures > allowed) return false;
  }
  return true;
}

template bool best_entries_lead<float>(ListState<float>&);
template bool best_entries_lead<double>(ListState<double>&);
template bool rows_stand_out<float>(ListState<float>&, std::int64_t, bool);
template bool rows_stand_out<double>(ListState<double>&, std::int64_t, bool);

}  // namespace rebasin::assignment
