#include "sparse/decomposition.hpp"

#include "sparse/stages.hpp"

namespace rebasin::sparse {
namespace {

Parts part(const std::vector<bool>& first) {
  Parts parts;
  parts.in_first.assign(first.size(), none);
  parts.in_second.assign(first.size(), none);
  for (std::size_t line = 0; line < first.size(); ++line) {
    if (first[line]) {
      parts.in_first[line] = static_cast<std::int32_t>(parts.of_first++);
    } else {
      parts.in_second[line] = static_cast<std::int32_t>(parts.of_second++);
    }
  }
  return parts;
}

}  // namespace

Decomposition decompose(const Graph& graph, Interrupt& interrupt) {
  MatchingState state(graph);
  state.drop_matching();
  const Attempt attempt = match_entries(state, interrupt);
  if (attempt != Attempt::solved) return {attempt, {}, {}};
  // Along entries, and back along matched ones, from the unmatched rows.
  std::vector<bool> row(graph.rows, false);
  std::vector<bool> column(graph.columns, false);
  std::vector<std::int32_t> queue = state.free_rows;
  for (const std::int32_t i : queue) row[i] = true;
  while (!queue.empty()) {
    const std::int32_t i = queue.back();
    queue.pop_back();
    for (std::int64_t k = graph.start[i]; k < graph.start[i + 1]; ++k) {
      const std::int32_t j = graph.column[k];
      if (column[j]) continue;
      column[j] = true;
      row[state.row_of[j]] = true;
      queue.push_back(state.row_of[j]);
    }
  }
  return {Attempt::solved, part(row), part(column)};
}

}  // namespace rebasin::sparse
