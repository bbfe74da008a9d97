// From a view to the graph that the stages read.
#pragma once

#include "sparse/graph/fixed_point.hpp"
#include "sparse/graph/graph.hpp"
#include "sparse/graph/typed_view.hpp"

namespace rebasin::sparse {

// The rows and columns of a view that a graph holds: per row or column its number in the graph, or -1. Empty
// means all, in their order. With `transposed` rows of the graph are columns of the view.
struct Selection {
  std::vector<std::int32_t> row;
  std::vector<std::int32_t> column;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool transposed = false;
  double limit = std::numeric_limits<double>::infinity();  // greater magnitudes, if floats, are left out
};

template <class View>
Graph to_graph(const View& view, const Selection& selection, const FixedPoint& fixed);

}  // namespace rebasin::sparse
