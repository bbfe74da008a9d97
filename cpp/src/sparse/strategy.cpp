#include "sparse/strategy.hpp"

#include <cstdlib>
#include <cstdio>
#include <ctime>

#include "sparse/bidding.hpp"
#include "sparse/cardinality.hpp"
#include "sparse/path_search.hpp"
#include "sparse/release.hpp"

namespace rebasin::sparse {
namespace {

double par(const char* name, double d) { const char* s = std::getenv(name); return s ? std::atof(s) : d; }
double now() { return (double)std::clock() / CLOCKS_PER_SEC; }
#define TRACE(...) if (par("TRACE", 0)) std::fprintf(stderr, __VA_ARGS__)

// Least cost of each column: square problems, where duals have no sign, start there.
void reduce_columns(MatchingState& state) {
  const Graph& graph = state.graph;
  std::fill(state.v.begin(), state.v.end(), fixed_infinity);
  for (std::int64_t k = 0; k < graph.entries(); ++k) {
    Fixed& least = state.v[graph.column[k]];
    least = std::min(least, graph.cost[k]);
  }
  for (Fixed& least : state.v) {
    if (least == fixed_infinity) least = 0;
  }
}

Fixed range_of(const Graph& graph) {
  Fixed least = fixed_infinity, greatest = -fixed_infinity;
  for (std::int64_t k = 0; k < graph.entries(); ++k) {
    least = std::min(least, graph.cost[k]);
    greatest = std::max(greatest, graph.cost[k]);
  }
  return std::max<Fixed>(greatest - least, 1);
}

// mean over sampled rows of (max - min)/(degree)
double spacing_of(const MatchingState& state) {
  const Graph& graph = state.graph;
  double sum = 0; std::int64_t count = 0;
  for (std::int64_t i = 0; i < graph.rows; i += std::max<std::int64_t>(1, graph.rows / 1000)) {
    Fixed low = fixed_infinity, high = -fixed_infinity;
    for (std::int64_t k = graph.start[i]; k < graph.start[i + 1]; ++k) {
      const Fixed r = graph.cost[k] - state.v[graph.column[k]];
      low = std::min(low, r); high = std::max(high, r);
    }
    sum += (double)(high - low) / (double)std::max<std::int64_t>(1, state.degree((std::int32_t)i) - 1);
    ++count;
  }
  return sum / (double)count;
}

void lift_unmatched(MatchingState& state) {
  if (state.graph.square()) return;
  for (std::int64_t j = 0; j < state.graph.columns; ++j) if (state.row_of[j] == none) state.v[j] = 0;
}

}  // namespace

Outcome solve(MatchingState& state, std::vector<std::int32_t>& violator, Interrupt& interrupt) {
  const Graph& graph = state.graph;
  for (std::int32_t i = 0; i < graph.rows; ++i) {
    if (graph.start[i] == graph.start[i + 1]) { violator.assign(1, i); return Outcome::no_path; }
  }
  double t0 = now();
  const std::int64_t E = graph.entries();
  if (graph.square()) reduce_columns(state);
  state.drop_matching();
  const Fixed range = range_of(graph);
  TRACE("prep %.4f\n", now() - t0);
  Outcome o = reduce_rows(state, range, 2, (std::int64_t)(par("ARR0", 3) * E), interrupt);
  if (o != Outcome::done) return o;
  TRACE("arr %.4f free %zu bids %ld\n", now() - t0, state.free_rows.size(), (long)state.counters.bids);
  if ((double)state.free_rows.size() > par("SKIP", 0.01) * (double)graph.rows) {
    const double spacing = spacing_of(state);
    double eps = spacing * par("EPS0", 4);
    const double last = spacing * par("EPS1", 0.1);
    for (;;) {
      state.drop_matching();
      o = run_auction(state, std::max<Fixed>(1, (Fixed)eps), range, (std::int64_t)(par("BUDGET", 16) * E), interrupt);
      ++state.counters.levels;
      if (o == Outcome::interrupted || o == Outcome::out_of_range) return o;
      TRACE("eps %g spacing %g: %.4f free %zu bids %ld\n", eps, spacing, now() - t0, state.free_rows.size(), (long)state.counters.bids);
      lift_unmatched(state);
      if (eps <= last) break;
      eps = std::max(last, eps / par("FACTOR", 5));
    }
    state.drop_matching();
    o = reduce_rows(state, range, (int)par("ROUNDS", 4), (std::int64_t)(par("ARR1", 8) * E), interrupt);
    if (o != Outcome::done) return o;
    TRACE("arr %.4f free %zu bids %ld\n", now() - t0, state.free_rows.size(), (long)state.counters.bids);
  }
  if (par("TIGHT", 1)) {
    o = match_tight_entries(state, interrupt);
    if (o != Outcome::done) return o;
    TRACE("tight %.4f free %zu\n", now() - t0, state.free_rows.size());
  }
  PathSearch search(state);
  int joint = (int)par("JOINT", 0);
  while (!state.free_rows.empty()) {
    if (joint-- > 0) {
      o = search.open_tight_path(interrupt);
      if (o == Outcome::done) o = match_tight_entries(state, interrupt);
      TRACE("joint %.4f free %zu read %ld\n", now() - t0, state.free_rows.size(), (long)search.entries_read());
    } else {
      const std::int32_t row = state.free_rows.back();
      o = search.augment(row, interrupt);
      if (o == Outcome::done) state.free_rows.pop_back();
    }
    if (o == Outcome::no_path) violator = search.tree_rows();
    if (o != Outcome::done) return o;
  }
  TRACE("paths %.4f read %g searches %ld\n", now() - t0, (double)search.entries_read() / (double)E, (long)state.counters.searches);
  state.counters.entries_read += search.entries_read();
  if (!graph.square()) o = release_columns(state, interrupt);
  TRACE("release %.4f\n", now() - t0);
  return o;
}

}  // namespace rebasin::sparse
