#include "sparse/graph/conversion.hpp"

#include <limits>
#include <type_traits>

namespace rebasin::sparse {
namespace {

template <class T>
bool is_present(T cost, double limit) {
  if constexpr (std::is_floating_point_v<T>) return std::abs(static_cast<double>(cost)) < limit;
  return true;
}

// Calls action(row, column, cost) for each entry of the selection, row by row of the view.
template <class View, class Action>
void for_each_entry(const View& view, const Selection& selection, Action action) {
  const bool all_rows = selection.row.empty();
  const bool all_columns = selection.column.empty();
  for (std::int64_t i = 0; i < view.rows; ++i) {
    const std::int32_t row = all_rows ? static_cast<std::int32_t>(i) : selection.row[i];
    if (row < 0) continue;
    for (std::int64_t k = view.begin(i); k < view.end(i); ++k) {
      const auto j = static_cast<std::int32_t>(view.columns_of[k]);
      const std::int32_t column = all_columns ? j : selection.column[j];
      if (column >= 0 && is_present(view.values[k], selection.limit)) action(row, column, view.values[k]);
    }
  }
}

// The whole view as it lies, in one pass.
template <class View>
void copy_all(const View& view, double limit, const FixedPoint& fixed, Graph& graph) {
  const std::int64_t most = view.rows > 0 ? view.end(view.rows - 1) : 0;
  graph.column = std::make_unique_for_overwrite<std::int32_t[]>(most);
  graph.cost = std::make_unique_for_overwrite<Fixed[]>(most);
  std::int64_t place = 0;
  for (std::int64_t i = 0; i < view.rows; ++i) {
    for (std::int64_t k = view.begin(i); k < view.end(i); ++k) {
      if (!is_present(view.values[k], limit)) continue;
      graph.column[place] = static_cast<std::int32_t>(view.columns_of[k]);
      graph.cost[place++] = fixed.from(view.values[k]);
    }
    graph.start[i + 1] = place;
  }
}

}  // namespace

template <class View>
Graph to_graph(const View& view, const Selection& selection, const FixedPoint& fixed) {
  Graph graph;
  const bool transposed = selection.transposed;
  graph.rows = transposed ? selection.columns : selection.rows;
  graph.columns = transposed ? selection.rows : selection.columns;
  graph.start.assign(graph.rows + 1, 0);
  graph.unit = fixed.unit;
  if (!transposed && selection.row.empty() && selection.column.empty()) {
    copy_all(view, selection.limit, fixed, graph);
    return graph;
  }
  using Value = typename View::Value;
  for_each_entry(view, selection, [&](std::int32_t row, std::int32_t column, Value) {
    ++graph.start[(transposed ? column : row) + 1];
  });
  for (std::int64_t i = 0; i < graph.rows; ++i) graph.start[i + 1] += graph.start[i];
  graph.column = std::make_unique_for_overwrite<std::int32_t[]>(graph.entries());
  graph.cost = std::make_unique_for_overwrite<Fixed[]>(graph.entries());
  std::vector<std::int64_t> at(graph.start.begin(), graph.start.end() - 1);
  for_each_entry(view, selection, [&](std::int32_t row, std::int32_t column, Value cost) {
    const std::int64_t place = at[transposed ? column : row]++;
    graph.column[place] = transposed ? row : column;
    graph.cost[place] = fixed.from(cost);
  });
  return graph;
}

template Graph to_graph(const TypedView<float, std::int32_t>&, const Selection&, const FixedPoint&);
template Graph to_graph(const TypedView<float, std::int64_t>&, const Selection&, const FixedPoint&);
template Graph to_graph(const TypedView<double, std::int32_t>&, const Selection&, const FixedPoint&);
template Graph to_graph(const TypedView<double, std::int64_t>&, const Selection&, const FixedPoint&);
template Graph to_graph(const TypedView<std::int64_t, std::int32_t>&, const Selection&, const FixedPoint&);
template Graph to_graph(const TypedView<std::int64_t, std::int64_t>&, const Selection&, const FixedPoint&);

}  // namespace rebasin::sparse
