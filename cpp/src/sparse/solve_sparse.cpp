#include <algorithm>
#include <bit>
#include <new>
#include <type_traits>

#include "rebasin/sparse_assignment.hpp"
#include "sparse/cardinality.hpp"
#include "sparse/conversion.hpp"
#include "sparse/proof.hpp"
#include "sparse/strategy.hpp"

namespace rebasin::sparse {
namespace {

constexpr int most_bits = 53;

Status status_of(Outcome outcome) {
  return outcome == Outcome::interrupted ? Status::interrupted : Status::infeasible;
}

// Costs of this many bits cannot drive a dual out of range: duals stay within (2 n + 1) costs, and an auction
// that goes further is not run.
int safe_bits(std::int64_t lines) {
  return 57 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(lines + 1)));
}

template <class View>
class Solver {
 public:
  Solver(const View& view, SparseSolution& solution, Interrupt& interrupt)
      : view_(view), solution_(solution), interrupt_(interrupt), safe_bits_(safe_bits(view.rows + view.columns)) {}

  Status solve_complete(const CostRange& range) {
    Selection all;
    all.rows = view_.rows;
    all.columns = view_.columns;
    all.transposed = view_.rows > view_.columns;
    clear();
    const Status status = solve_part(all, range);
    if (status == Status::ok) finish(range);
    return status;
  }

 private:
  void clear() {
    matching_.column_of.assign(view_.rows, none);
    matching_.row_dual.assign(view_.rows, 0.0);
    matching_.column_dual.assign(view_.columns, 0.0);
    gap_ = 0.0;
  }

  FixedPoint fixed_for(const CostRange& range, int bits) const {
    if constexpr (std::is_same_v<typename View::Value, std::int64_t>) {
      return FixedPoint::of_integers(range, bits, view_.maximize);
    } else {
      return FixedPoint::of_floats(range, bits, view_.maximize);
    }
  }

  // Numbers the lines of the graph as the view does.
  Status solve_part(const Selection& selection, const CostRange& range) {
    Outcome outcome = Outcome::out_of_range;
    for (const int bits : {most_bits, safe_bits_}) {
      const FixedPoint fixed = fixed_for(range, bits);
      const Graph graph = to_graph(view_, selection, fixed);
      MatchingState state(graph);
      std::vector<std::int32_t> violator;
      outcome = sparse::solve(state, violator, interrupt_);
      solution_.counters = state.counters;
      if (outcome == Outcome::out_of_range) continue;
      if (outcome == Outcome::no_path) name_violator(selection, graph, violator);
      if (outcome == Outcome::done) keep(selection, state, fixed);
      break;
    }
    return outcome == Outcome::done ? Status::ok : status_of(outcome);
  }

  void keep(const Selection& selection, const MatchingState& state, const FixedPoint& fixed) {
    const bool transposed = selection.transposed;
    for (std::int64_t i = 0; i < state.graph.rows; ++i) {
      const std::int32_t j = state.column_of[i];
      (transposed ? matching_.column_of[j] : matching_.column_of[i]) =
          transposed ? static_cast<std::int32_t>(i) : j;
    }
    std::vector<double>& given = transposed ? matching_.row_dual : matching_.column_dual;
    for (std::int64_t j = 0; j < state.graph.columns; ++j) given[j] = fixed.to_real(state.v[j]);
    gap_ = prove(view_, selection, matching_);
  }

  void name_violator(const Selection& selection, const Graph& graph, std::vector<std::int32_t>& rows) {
    std::vector<std::int64_t> columns;
    for (const std::int32_t row : rows) {
      columns.insert(columns.end(), graph.column.get() + graph.start[row],
                     graph.column.get() + graph.start[row + 1]);
    }
    std::sort(rows.begin(), rows.end());
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
    std::vector<std::int64_t> wide(rows.begin(), rows.end());
    (selection.transposed ? solution_.violating_columns : solution_.violating_rows) = std::move(wide);
    (selection.transposed ? solution_.violating_rows : solution_.violating_columns) = std::move(columns);
  }

  void finish(const CostRange& range) {
    const double sign = view_.maximize ? -1.0 : 1.0;
    for (double& dual : matching_.row_dual) dual *= sign;
    for (double& dual : matching_.column_dual) dual *= sign;
    solution_.columns.assign(matching_.column_of.begin(), matching_.column_of.end());
    solution_.objective = total_of(view_, matching_.column_of);
    solution_.row_duals = std::move(matching_.row_dual);
    solution_.column_duals = std::move(matching_.column_dual);
    // Totals are multiples of the lowest bit.
    const bool proven = gap_ > 0.0 && gap_ < std::ldexp(1.0, range.lowest_bit);
    solution_.gap = proven ? 0.0 : gap_;
  }

  const View& view_;
  SparseSolution& solution_;
  Interrupt& interrupt_;
  ProvenMatching matching_;
  double gap_ = 0.0;
  int safe_bits_;
};

template <class View>
Status solve_view(const View& view, Matching, SparseSolution& solution, Interrupt& interrupt) {
  const CostRange range = view.rows > 0 ? find_range(view) : CostRange{};
  if (range.invalid) return Status::invalid_entry;
  Solver<View> solver(view, solution, interrupt);
  return solver.solve_complete(range);
}

}  // namespace
}  // namespace rebasin::sparse

namespace rebasin {

Status solve_sparse_assignment(const SparseCostView& cost, Matching wanted, SparseSolution& solution,
                               Interrupt& interrupt) {
  solution = SparseSolution{};
  try {
    return sparse::with_types(
        cost, [&](const auto& view) { return sparse::solve_view(view, wanted, solution, interrupt); });
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

}  // namespace rebasin
