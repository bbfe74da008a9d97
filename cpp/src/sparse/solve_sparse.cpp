#include <algorithm>
#include <bit>
#include <new>
#include <type_traits>
#include <utility>

#include "assignment/proof/exact_sums.hpp"
#include "rebasin/sparse_assignment.hpp"
#include "sparse/decomposition.hpp"
#include "sparse/graph/conversion.hpp"
#include "sparse/huge_costs.hpp"
#include "sparse/proof.hpp"
#include "sparse/strategy.hpp"

namespace rebasin::sparse {
namespace {

constexpr int most_bits = 53;
constexpr double infinity = std::numeric_limits<double>::infinity();

// Costs of this many bits cannot drive a dual out of range: duals stay within (2 n + 1) costs, and an auction
// that goes further is not run.
int safe_bits(std::int64_t rows_and_columns) {
  return 57 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(rows_and_columns + 1)));
}

// In exact arithmetic: every entry's reduced cost is at least its row's, which the matched entry attains.
bool is_proven(const MatchingState& state) {
  const Graph& graph = state.graph;
  for (std::int32_t i = 0; i < graph.rows; ++i) {
    if (state.least_reduced(i) != state.matched_dual(i)) return false;
  }
  for (std::int64_t j = 0; j < graph.columns && !graph.square(); ++j) {
    if (state.v[j] > 0 || (state.row_of[j] == none && state.v[j] != 0)) return false;
  }
  return true;
}

template <class View>
class Solver {
 public:
  Solver(const View& view, SparseSolution& solution, Interrupt& interrupt)
      : view_(view), solution_(solution), interrupt_(interrupt) {
    matching_.column_of.assign(view_.rows, none);
    matching_.row_dual.assign(view_.rows, 0.0);
    matching_.column_dual.assign(view_.columns, 0.0);
  }

  Status run(Matching wanted) {
    range_ = find_range(view_);
    if (range_.invalid) return Status::invalid_entry;
    const Attempt attempt = wanted == Matching::complete ? solve_part(all()) : solve_halves();
    if (attempt == Attempt::interrupted) return Status::interrupted;
    if (attempt != Attempt::solved) return Status::infeasible;
    finish();
    return Status::ok;
  }

 private:
  Selection all() const {
    Selection selection;
    selection.rows = view_.rows;
    selection.columns = view_.columns;
    selection.transposed = view_.rows > view_.columns;
    return selection;
  }

  // First without the markers; the proof includes them.
  Attempt solve_part(const Selection& selection) {
    if (range_.markers_from < infinity && !fixed_for(range_, most_bits).exact) {
      Selection ordinary = selection;
      ordinary.limit = range_.markers_from;
      const Attempt attempt = solve_on_grid(ordinary, selection, find_range(view_, range_.markers_from));
      if (attempt != Attempt::infeasible) return attempt;
    }
    return solve_on_grid(selection, selection, range_);
  }

  Attempt solve_on_grid(const Selection& selection, const Selection& proven, const CostRange& range) {
    Attempt attempt = Attempt::declined;
    for (const int bits : {most_bits, safe_bits(view_.rows + view_.columns)}) {
      const FixedPoint fixed = fixed_for(range, bits);
      const Graph graph = to_graph(view_, selection, fixed);
      MatchingState state(graph);
      Solved solved = sparse::solve(state, interrupt_);
      attempt = solved.attempt;
      count(state.counters);
      if (attempt == Attempt::declined) continue;
      if (attempt == Attempt::infeasible) name_violator(selection, graph, std::move(solved.violator));
      if (attempt == Attempt::solved) keep(proven, state, fixed);
      break;
    }
    return attempt;
  }

  // The halves of the Dulmage-Mendelsohn decomposition, each by itself: rows that compete for too few
  // columns, and the rest.
  Attempt solve_halves() {
    Selection whole = all();
    whole.transposed = false;
    Decomposition halves = decompose(to_graph(view_, whole, fixed_for(range_, most_bits)), interrupt_);
    if (halves.attempt != Attempt::solved) return halves.attempt;
    const Selection contested{std::move(halves.rows.in_first), std::move(halves.columns.in_first),
                              halves.rows.of_first, halves.columns.of_first, true};
    const Selection rest{std::move(halves.rows.in_second), std::move(halves.columns.in_second),
                         halves.rows.of_second, halves.columns.of_second, false};
    for (const Selection* half : {&rest, &contested}) {
      if (half->rows == 0 || half->columns == 0) continue;
      const Attempt solved = solve_part(*half);
      if (solved != Attempt::solved) return solved;
    }
    if (contested.rows > 0 && rest.rows + rest.columns > 0) join_halves(contested);
    return Attempt::solved;
  }

  // A price of being unassigned for the contested rows, off the duals of their columns, high enough for the
  // entries between the halves, and for these rows and the other columns to have the highest duals. A power
  // of two: adding it costs few bits.
  void join_halves(const Selection& contested) {
    double price = 0.0;
    for (std::int64_t i = 0; i < view_.rows; ++i) {
      if (contested.row[i] >= 0) continue;
      price = std::max(price, matching_.row_dual[i]);
      for (std::int64_t k = view_.begin(i); k < view_.end(i); ++k) {
        const auto j = static_cast<std::int64_t>(view_.columns_of[k]);
        const double cost = static_cast<double>(view_.values[k]) * (view_.maximize ? -1.0 : 1.0);
        if (contested.column[j] < 0 || !(cost < infinity)) continue;
        price = std::max(price, matching_.row_dual[i] + matching_.column_dual[j] - cost);
      }
    }
    for (std::int64_t j = 0; j < view_.columns; ++j) {
      if (contested.column[j] >= 0) price = std::max(price, matching_.column_dual[j]);
    }
    if (price == 0.0) return;
    price = std::ldexp(1.0, std::ilogb(price) + 1);
    for (std::int64_t i = 0; i < view_.rows; ++i) {
      if (contested.row[i] >= 0) matching_.row_dual[i] += price;
    }
    Selection columns = contested;
    columns.row.clear();
    gap_ = assignment::add_up(gap_of_rest_, prove(view_, columns, matching_));
  }

  FixedPoint fixed_for(const CostRange& range, int bits) const {
    if constexpr (is_integer) return FixedPoint::of_integers(range, bits, view_.maximize);
    return FixedPoint::of_floats(range, bits, view_.maximize);
  }

  void count(const SparseCounters& counters) {
    solution_.counters.entries_read += counters.entries_read;
    solution_.counters.bids += counters.bids;
    solution_.counters.searches += counters.searches;
    solution_.counters.joint_searches += counters.joint_searches;
    solution_.counters.levels += counters.levels;
  }

  // The rows, or columns, of the view that the graph numbers, in its order.
  static std::vector<std::int32_t> indices_of(const std::vector<std::int32_t>& numbers, std::int64_t count) {
    std::vector<std::int32_t> indices(count);
    if (numbers.empty()) {
      for (std::int64_t k = 0; k < count; ++k) indices[k] = static_cast<std::int32_t>(k);
      return indices;
    }
    for (std::size_t index = 0; index < numbers.size(); ++index) {
      if (numbers[index] >= 0) indices[numbers[index]] = static_cast<std::int32_t>(index);
    }
    return indices;
  }

  void keep(const Selection& selection, const MatchingState& state, const FixedPoint& fixed) {
    const std::vector<std::int32_t> rows = indices_of(selection.row, selection.rows);
    const std::vector<std::int32_t> columns = indices_of(selection.column, selection.columns);
    const bool transposed = selection.transposed;
    for (std::int64_t i = 0; i < state.graph.rows; ++i) {
      const std::int32_t j = state.column_of[i];
      matching_.column_of[rows[transposed ? j : i]] = columns[transposed ? i : j];
    }
    std::vector<double>& given = transposed ? matching_.row_dual : matching_.column_dual;
    const std::vector<std::int32_t>& indices = transposed ? rows : columns;
    for (std::int64_t j = 0; j < state.graph.columns; ++j) given[indices[j]] = fixed.to_real(state.v[j]);
    const double gap = prove(view_, selection, matching_);
    // Duals of integers beyond 2^53 are rounded; the integers themselves prove more.
    const bool proven = is_integer && fixed.exact && is_proven(state);
    if (!transposed || selection.row.empty()) gap_of_rest_ = proven ? 0.0 : gap;
    if (!proven) gap_ = assignment::add_up(gap_, gap);
  }

  void name_violator(const Selection& selection, const Graph& graph, std::vector<std::int32_t> rows) {
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

  void finish() {
    const double sign = view_.maximize ? -1.0 : 1.0;
    for (double& dual : matching_.row_dual) dual = dual == 0.0 ? 0.0 : dual * sign;
    for (double& dual : matching_.column_dual) dual = dual == 0.0 ? 0.0 : dual * sign;
    solution_.columns.assign(matching_.column_of.begin(), matching_.column_of.end());
    solution_.objective = total_of(view_, matching_.column_of);
    solution_.row_duals = std::move(matching_.row_dual);
    solution_.column_duals = std::move(matching_.column_dual);
    // Totals are multiples of the lowest bit.
    const bool proven = gap_ > 0.0 && gap_ < std::ldexp(1.0, range_.lowest_bit);
    solution_.gap = proven ? 0.0 : gap_;
  }

  static constexpr bool is_integer = std::is_same_v<typename View::Value, std::int64_t>;

  const View& view_;
  SparseSolution& solution_;
  Interrupt& interrupt_;
  CostRange range_;
  ProvenMatching matching_;
  double gap_ = 0.0;
  double gap_of_rest_ = 0.0;  // the share that the contested half lacks
};

}  // namespace
}  // namespace rebasin::sparse

namespace rebasin {

Status solve_sparse_assignment(const SparseCostView& cost, Matching wanted, SparseSolution& solution,
                               Interrupt& interrupt) {
  const auto solve = [&](const SparseCostView& given) {
    solution = SparseSolution{};
    return sparse::with_types(
        given, [&](const auto& view) { return sparse::Solver(view, solution, interrupt).run(wanted); });
  };
  try {
    Status status = solve(cost);
    if (status == Status::ok && !sparse::is_finite(solution) && cost.dtype == DType::float64) {
      const sparse::ScaledCosts scaled(cost);
      status = solve(scaled.view());
      if (status == Status::ok) scaled.restore(solution);
    }
    return status == Status::ok && !sparse::is_finite(solution) ? Status::overflow : status;
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

}  // namespace rebasin
