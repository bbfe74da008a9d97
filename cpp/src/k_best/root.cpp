#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "k_best/search.hpp"

namespace rebasin::k_best {
namespace {

// Rows from which the general solver's answer, made exact, comes sooner than one from here.
constexpr std::int64_t large = 64;

// Scans of a row, per row, after which duals from elsewhere are given up.
constexpr std::int64_t repair_scans = 6;

// Every row by a shortest augmenting path, from column minima where the problem is square.
Status solve_by_paths(const Grid& grid, Search& search, Matching& matching, Interrupt& interrupt) {
  const std::int64_t n = grid.rows;
  matching.column.assign(n, -1);
  matching.owner.assign(grid.columns, no_row);
  matching.v.assign(grid.stride, 0);
  if (n == grid.columns) {
    matching.v.assign(grid.stride, forbidden);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t* row = grid.row(i);
      for (std::int64_t j = 0; j < grid.stride; ++j) matching.v[j] = std::min(matching.v[j], row[j]);
    }
    for (std::int64_t& v : matching.v) v = v == forbidden ? 0 : v;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    if (i % 16 == 15 && interrupt.requested()) return Status::interrupted;
    const std::int64_t* row = grid.row(i);
    std::int64_t u = forbidden;
    for (std::int64_t j = 0; j < grid.columns; ++j) u = std::min(u, row[j] - matching.v[j]);
    search.begin(matching);
    if (u >= finite || search.run(matching, i, u, finite) >= finite) return Status::infeasible;
    search.augment(matching);
  }
  for (std::int32_t& owner : matching.owner) {
    if (owner == no_row) owner = static_cast<std::int32_t>(n);
  }
  return Status::ok;
}

// Lowers v until every reduced cost is at least zero, with the matching as it is. False: not within the
// budget, which is so where the matching is not optimal on the grid.
bool repair_duals(const Grid& grid, Matching& matching) {
  const std::int64_t n = grid.rows;
  const bool rectangular = n < grid.columns;
  const std::int64_t rows = rectangular ? n + 1 : n;
  std::vector<std::int64_t> queue(rows);
  std::iota(queue.begin(), queue.end(), std::int64_t{0});
  std::vector<char> waiting(rows, 1);
  std::int64_t zero_dual = 0;
  for (std::size_t k = 0; k < queue.size(); ++k) {
    if (static_cast<std::int64_t>(k) > repair_scans * rows) return false;
    const std::int64_t i = queue[k];
    waiting[i] = 0;
    const std::int64_t* row = grid.row(i);
    const std::int64_t u = i == n ? zero_dual : row[matching.column[i]] - matching.v[matching.column[i]];
    const auto lower = [&](std::int64_t owner) {
      if (waiting[owner]) return;
      waiting[owner] = 1;
      queue.push_back(owner);
    };
    for (std::int64_t j = 0; j < grid.columns; ++j) {
      if (row[j] - u >= matching.v[j]) continue;
      matching.v[j] = row[j] - u;
      if (matching.owner[j] == n) zero_dual = std::max(zero_dual, -matching.v[j]);
      lower(matching.owner[j]);
    }
  }
  for (std::int64_t j = 0; j < grid.columns; ++j) {
    if (matching.owner[j] == n) matching.v[j] = -zero_dual;
  }
  return true;
}

// The general solver's matching and duals, on the grid.
bool take_solution(const Grid& grid, const AssignmentSolution& solution, Matching& matching) {
  const double sign = grid.source.view.maximize ? -1.0 : 1.0;
  const double unit = std::ldexp(1.0, grid.exponent);
  if (!(unit > 0.0) || !std::isfinite(unit)) return false;
  const auto bound = static_cast<double>(finite) / 8.0;
  matching.column.assign(solution.columns.begin(), solution.columns.end());
  matching.owner.assign(grid.columns, static_cast<std::int32_t>(grid.rows));
  matching.v.assign(grid.stride, 0);
  for (std::int64_t i = 0; i < grid.rows; ++i)
    matching.owner[matching.column[i]] = static_cast<std::int32_t>(i);
  for (std::int64_t j = 0; j < grid.columns; ++j) {
    const double v = sign * solution.column_duals[j] / unit;
    if (!(std::abs(v) < bound)) return false;
    matching.v[j] = static_cast<std::int64_t>(v);
    if (grid.rows < grid.columns) {
      matching.v[j] = matching.owner[j] == grid.rows ? 0 : std::min(matching.v[j], std::int64_t{0});
    }
  }
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    if (grid.row(i)[matching.column[i]] >= forbidden) return false;
  }
  return true;
}

}  // namespace

Status solve_root(const Grid& grid, Search& search, Matching& matching, Interrupt& interrupt) {
  if (grid.rows >= large && !grid.source.wide_integers) {
    AssignmentSolution solution;
    const Status status = solve_assignment(grid.source.view, solution, interrupt);
    if (status != Status::ok && status != Status::overflow) return status;
    if (status == Status::ok && take_solution(grid, solution, matching) && repair_duals(grid, matching))
      return Status::ok;
  }
  return solve_by_paths(grid, search, matching, interrupt);
}

}  // namespace rebasin::k_best
