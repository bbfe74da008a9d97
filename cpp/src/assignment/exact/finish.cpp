#include "assignment/exact/finish.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "assignment/exact/exact_paths.hpp"
#include "assignment/exact/exact_problem.hpp"
#include "assignment/exact/real_sum.hpp"
#include "assignment/exact/totals.hpp"
#include "assignment/proof/exact_sums.hpp"

namespace rebasin::assignment {
namespace {

// The optimum: the matching, and the duals that prove it, rounded down.
struct Optimum {
  std::vector<std::int64_t> column_of;
  std::vector<std::int64_t> row_of;
  std::vector<double> u;
  std::vector<double> v;
};

// Slacks of the row's entries over the least of them.
template <class S>
void append_row(const ExactProblem& problem, const NearTightEntries& entries, std::int64_t i, int unit,
                SlackGraph<S>& graph) {
  const std::int64_t matched = problem.matching.column_of[i];
  S base{};
  add_dyadic(base, -problem.costs.entry(i, matched), unit);
  add_dyadic(base, problem.dual(matched), unit);
  S least{};  // the matched entry's own
  const std::size_t first = graph.slack.size();
  for (std::int64_t k = entries.start[i]; k < entries.start[i + 1]; ++k) {
    const std::int64_t j = entries.column[k];
    S reduced = base;
    add_dyadic(reduced, problem.costs.entry(i, j), unit);
    add_dyadic(reduced, -problem.dual(j), unit);
    if (reduced < least) least = reduced;
    graph.slack.push_back(reduced);
  }
  for (std::size_t k = first; k < graph.slack.size(); ++k) graph.slack[k] -= least;
}

// The rows of zeros that would make a rectangle square, as one.
template <class S>
void append_filling_row(const ExactProblem& problem, double deficit, int unit, SlackGraph<S>& graph) {
  for (std::int64_t j = 0; j < problem.costs.columns(); ++j) {
    if (-problem.v[j] > deficit) continue;
    S slack{};
    add_dyadic(slack, -problem.dual(j), unit);
    graph.column.push_back(static_cast<std::int32_t>(j));
    graph.slack.push_back(slack);
  }
  graph.start.push_back(static_cast<std::int64_t>(graph.column.size()));
}

template <class S>
SlackGraph<S> make_graph(const ExactProblem& problem, NearTightEntries& entries, int unit) {
  SlackGraph<S> graph;
  graph.rows = problem.costs.rows();
  graph.columns = problem.costs.columns();
  graph.slack.reserve(entries.column.size());
  for (std::int64_t i = 0; i < graph.rows; ++i) append_row(problem, entries, i, unit, graph);
  graph.start = std::move(entries.start);
  graph.column = std::move(entries.column);
  if (!graph.square()) append_filling_row(problem, entries.deficit, unit, graph);
  return graph;
}

// True where the matching given is tight for the duals found, and so as good as the one found.
template <class S>
bool still_optimal(const SlackGraph<S>& graph, const CompleteMatching& matching, const ExactPaths<S>& paths) {
  for (std::int64_t i = 0; i < graph.rows; ++i) {
    const std::int64_t column = matching.column_of[i];
    for (std::int64_t k = graph.start[i]; k < graph.start[i + 1]; ++k) {
      if (graph.column[k] != column) continue;
      if (!(graph.slack[k] + paths.lowered(column) == paths.raised(i))) return false;
    }
  }
  if (graph.square()) return true;
  for (std::int64_t k = graph.start[graph.rows]; k < graph.start[graph.rows + 1]; ++k) {
    const std::int64_t column = graph.column[k];
    if (matching.row_of[column] >= 0) continue;
    if (!(graph.slack[k] + paths.lowered(column) == paths.filler_raised())) return false;
  }
  return true;
}

// The duals that prove the matching, rounded down. So they stay feasible: an entry's cost is at least the sum
// of the two before the rounding.
template <class S>
void round_duals(const ExactProblem& problem, const ExactPaths<S>* paths, int unit, Optimum& optimum) {
  const auto dual = [&](std::int64_t j, bool subtract) {
    RealSum sum;
    const Dyadic start = problem.dual(j);
    sum.add(subtract ? -start : start);
    if (paths != nullptr) {
      sum.add(paths->lowered(j), unit, !subtract);
      sum.add(paths->filler_raised(), unit, subtract);
    }
    return sum;
  };
  for (std::int64_t j = 0; j < problem.costs.columns(); ++j) optimum.v.push_back(dual(j, false).down());
  for (std::int64_t i = 0; i < problem.costs.rows(); ++i) {
    const std::int64_t column = optimum.column_of[i];
    optimum.u.push_back(dual(column, true).add(problem.costs.entry(i, column)).down());
  }
}

template <class S>
Status solve_in(const ExactProblem& problem, NearTightEntries& entries, int unit, Optimum& optimum,
                Interrupt& interrupt) {
  const SlackGraph<S> graph = make_graph<S>(problem, entries, unit);
  ExactPaths<S> paths(graph, problem.matching.column_of, problem.matching.row_of);
  const Status status = paths.solve(interrupt);
  if (status != Status::ok) return status;
  const bool same = still_optimal(graph, problem.matching, paths);
  optimum.column_of = same ? problem.matching.column_of : paths.column_of();
  optimum.row_of = same ? problem.matching.row_of : paths.row_of();
  round_duals(problem, &paths, unit, optimum);
  return Status::ok;
}

// Chooses integers with room for the slacks and for 32 times the deficit.
Status solve_entries(const ExactProblem& problem, NearTightEntries& entries, Optimum& optimum,
                     Interrupt& interrupt) {
  constexpr int extra_bits = 7;
  const int unit = problem.common_unit(entries);
  const int bits = std::ilogb(entries.widest) + problem.costs.shift() - unit + extra_bits;
  if (bits <= 63) return solve_in<std::int64_t>(problem, entries, unit, optimum, interrupt);
  if (bits <= 127) return solve_in<WideInteger<2>>(problem, entries, unit, optimum, interrupt);
  if (bits <= 383) return solve_in<WideInteger<6>>(problem, entries, unit, optimum, interrupt);
  if (bits <= 1151) return solve_in<WideInteger<18>>(problem, entries, unit, optimum, interrupt);
  return solve_in<WideInteger<35>>(problem, entries, unit, optimum, interrupt);
}

void write_solution(const AnyCostView& cost, Optimum& optimum, bool transposed,
                    AssignmentSolution& solution) {
  solution.columns = std::move(transposed ? optimum.row_of : optimum.column_of);
  // Filling rows are beyond the last row.
  for (std::int64_t& column : solution.columns) {
    if (column >= cost.columns) column = -1;
  }
  solution.row_duals = std::move(transposed ? optimum.v : optimum.u);
  solution.column_duals = std::move(transposed ? optimum.u : optimum.v);
  // Adding zero turns -0.0 into 0.0.
  for (double& dual : solution.row_duals) dual = (cost.maximize ? -dual : dual) + 0.0;
  for (double& dual : solution.column_duals) dual = (cost.maximize ? -dual : dual) + 0.0;
  solution.objective = exact_total(cost, solution.columns);
  solution.gap = 0.0;
}

// Finds the optimum from the problem's matching and duals. `gap` is the caller's, as proven by the duals.
Status prove(ExactProblem& problem, double gap, Optimum& optimum, Interrupt& interrupt) {
  NearTightEntries entries;
  const auto find = [&] {
    return find_near_tight(problem.costs, problem.matching, problem.v, problem.expected_deficit(gap), entries,
                           interrupt);
  };
  Status status = find();
  if (status == Status::ok && std::isinf(entries.deficit) && problem.costs.shift() == 0) {
    problem.shift();
    status = find();
  }
  if (status != Status::ok) return status;
  if (entries.deficit > 0.0) return solve_entries(problem, entries, optimum, interrupt);
  optimum.column_of = problem.matching.column_of;
  optimum.row_of = problem.matching.row_of;
  round_duals<std::int64_t>(problem, nullptr, 0, optimum);
  return Status::ok;
}

double last_bit(double x) {
  const double size = std::abs(x);
  return size < std::numeric_limits<double>::max() ? next_up(size) - size : size - next_down(size);
}

double last_bits(const std::vector<double>& numbers) {
  double sum = 0.0;
  for (const double x : numbers) sum += last_bit(x);
  return sum;
}

// True where the duals are so much larger than the costs assigned that rounding leaves little of the proof.
bool duals_are_coarse(const ExactProblem& problem, const Optimum& optimum) {
  constexpr double tolerable = 64.0;
  double costs = 0.0;
  for (std::int64_t i = 0; i < problem.costs.rows(); ++i) {
    const double cost = problem.costs.nearest(i, optimum.column_of[i]);
    costs += last_bit(std::ldexp(cost, problem.costs.shift()));
  }
  return last_bits(optimum.u) + last_bits(optimum.v) > tolerable * costs;
}

// Duals that grow from zero are no larger than the optimum needs; kept where they round better.
Status prove_from_zero(ExactProblem& problem, Optimum& optimum, Interrupt& interrupt) {
  problem.matching.column_of = optimum.column_of;
  problem.matching.row_of = optimum.row_of;
  for (std::int64_t& row : problem.matching.row_of) {
    if (row >= problem.costs.rows()) row = -1;
  }
  std::fill(problem.v.begin(), problem.v.end(), 0.0);
  Optimum finer;
  const Status status = prove(problem, 0.0, finer, interrupt);
  if (status == Status::ok &&
      last_bits(finer.u) + last_bits(finer.v) < last_bits(optimum.u) + last_bits(optimum.v)) {
    optimum = std::move(finer);
  }
  return status;
}

}  // namespace

Status finish_exactly(const AnyCostView& cost, AssignmentSolution& solution, Interrupt& interrupt) {
  ExactProblem problem{.costs = ExactCosts(cost), .matching = {}, .v = {}};
  if (problem.costs.columns() >= std::numeric_limits<std::int32_t>::max()) return Status::ok;
  problem.take_matching(solution.columns);
  problem.take_duals(problem.costs.transposed() ? solution.row_duals : solution.column_duals, cost.maximize);
  Optimum optimum;
  Status status = prove(problem, solution.gap, optimum, interrupt);
  if (status == Status::ok && duals_are_coarse(problem, optimum)) {
    status = prove_from_zero(problem, optimum, interrupt);
  }
  if (status != Status::ok) return status;
  write_solution(cost, optimum, problem.costs.transposed(), solution);
  return Status::ok;
}

}  // namespace rebasin::assignment
