#include "sparse/strategy.hpp"

#include <cmath>
#include <cstdlib>
#include <cstdio>
#include <ctime>

#include "sparse/bidding.hpp"
#include "sparse/cardinality.hpp"
#include "sparse/path_search.hpp"
#include "sparse/refinement.hpp"
#include "sparse/release.hpp"
#include "sparse/tuning.hpp"

namespace rebasin::sparse {
namespace {

double par(const char* name, double d) { const char* s = std::getenv(name); return s ? std::atof(s) : d; }
double now() { return (double)std::clock() / CLOCKS_PER_SEC; }
double t0 = 0;
#define TRACE(...) if (par("TRACE", 0)) { std::fprintf(stderr, "%.4f ", now() - t0); std::fprintf(stderr, __VA_ARGS__); }

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

struct Increments {
  Fixed first = 1;
  Fixed last = 1;
};

class Strategy {
 public:
  Strategy(MatchingState& state, std::vector<std::int32_t>& violator, Interrupt& interrupt)
      : state_(state), graph_(state.graph), search_(state), violator_(violator), interrupt_(interrupt) {}

  Outcome run() {
    t0 = now();
    for (std::int32_t i = 0; i < graph_.rows; ++i) {
      if (state_.degree(i) == 0) return infeasible_by({i});
    }
    if (graph_.square()) reduce_columns(state_);
    state_.drop_matching();
    measure();
    Outcome outcome = reduce_rows(state_, range_, tuning::first_rounds, reads(tuning::first_reads), interrupt_);
    TRACE("arr free %zu\n", state_.free_rows.size());
    const auto fr = state_.free_rows.size();
    if (outcome == Outcome::done) outcome = match_tight_entries(state_, interrupt_);
    TRACE("tight free %zu\n", state_.free_rows.size());
    if (outcome == Outcome::done && (double)state_.free_rows.size() < par("JSHARE", .5) * (double)fr) outcome = search_jointly();
    TRACE("joint free %zu\n", state_.free_rows.size());
    if (outcome == Outcome::done) outcome = search_paths(reads(par("DIRECT", tuning::direct_reads)));
    TRACE("direct free %zu read %.2f\n", state_.free_rows.size(), (double)search_.entries_read()/(double)graph_.entries());
    if (outcome == Outcome::out_of_budget) outcome = run_levels();
    if (outcome == Outcome::done && !graph_.square()) outcome = release_columns(state_, interrupt_);
    TRACE("release\n");
    state_.counters.entries_read += search_.entries_read();
    return outcome;
  }

 private:
  std::int64_t reads(double count) const {
    return static_cast<std::int64_t>(count * static_cast<double>(graph_.entries()));
  }

  Outcome infeasible_by(std::vector<std::int32_t> rows) {
    violator_ = std::move(rows);
    return Outcome::no_path;
  }

  // The range of costs, and from sampled rows the increments of the auction.
  void measure() {
    Fixed least = fixed_infinity;
    Fixed greatest = -fixed_infinity;
    for (std::int64_t k = 0; k < graph_.entries(); ++k) {
      least = std::min(least, graph_.cost[k]);
      greatest = std::max(greatest, graph_.cost[k]);
    }
    range_ = std::max<Fixed>(greatest - least, 1);
    std::vector<Fixed> gaps;
    const std::int64_t step = std::max<std::int64_t>(1, graph_.rows / tuning::sampled_rows);
    for (std::int64_t i = 0; i < graph_.rows; i += step) {
      const Fixed gap = gap_of(static_cast<std::int32_t>(i));
      if (gap > 0 && gap <= range_) gaps.push_back(gap);
    }
    if (gaps.empty()) gaps.push_back(range_);
    std::sort(gaps.begin(), gaps.end());
    const auto quantile = [&](double q) {
      return static_cast<double>(gaps[static_cast<std::size_t>(q * static_cast<double>(gaps.size() - 1))]);
    };
    increments_.last = static_cast<Fixed>(par("LAST", tuning::last_factor) * quantile(par("LASTQ",tuning::last_quantile)));
    increments_.last = std::max({increments_.last, graph_.unit / tuning::unit_fraction, Fixed{1}});
    increments_.first = static_cast<Fixed>(par("FIRST", tuning::first_factor) * quantile(par("FIRSTQ", tuning::first_quantile)));
    increments_.first = std::max(increments_.first, increments_.last);
  }

  Fixed gap_of(std::int32_t row) const {
    Fixed best = fixed_infinity;
    Fixed second = fixed_infinity;
    for (std::int64_t k = graph_.start[row]; k < graph_.start[row + 1]; ++k) {
      const Fixed reduced = graph_.cost[k] - state_.v[graph_.column[k]];
      second = std::min(second, std::max(best, reduced));
      best = std::min(best, reduced);
    }
    return second - best;
  }

  // Path by path; out_of_budget when the budget does not suffice, or will not.
  Outcome search_paths(std::int64_t budget) {
    const std::int64_t before = search_.entries_read();
    for (std::int64_t done = 0; !state_.free_rows.empty();) {
      const std::int32_t row = state_.free_rows.back();
      const Outcome outcome = search_.augment(row, interrupt_);
      if (outcome == Outcome::no_path) return infeasible_by(search_.tree_rows());
      if (outcome != Outcome::done) return outcome;
      state_.free_rows.pop_back();
      ++done;
      const std::int64_t spent = search_.entries_read() - before;
      const auto left = static_cast<std::int64_t>(state_.free_rows.size());
      const bool forecast = done % tuning::searches_between_forecasts == 0;
      if (left > 0 && (spent > budget || (forecast && spent / done > (budget - spent) / left))) {
        return Outcome::out_of_budget;
      }
    }
    return Outcome::done;
  }

  // Auctions with falling epsilon, then exact duals for their matching, then paths for the rows left.
  Outcome run_levels() {
    auto epsilon = static_cast<double>(increments_.first);
    const auto last = static_cast<double>(increments_.last);
    int retries = 0;
    for (;;) {
      state_.drop_matching();
      ++state_.counters.levels;
      const Outcome outcome = run_auction(state_, static_cast<Fixed>(epsilon), range_,
                                          reads(retries > 0 ? 6 * tuning::level_reads : tuning::level_reads), interrupt_);
      TRACE("eps %g free %zu bids %ld\n", epsilon, state_.free_rows.size(), (long)state_.counters.bids);
      if (outcome == Outcome::out_of_budget) {
        if (retries == 0) {
          const Outcome feasible = check_feasible();
          if (feasible != Outcome::done) return feasible;
        }
        if (++retries > tuning::most_retries) break;
        epsilon *= tuning::falling_factor * tuning::falling_factor;
        continue;
      }
      if (outcome != Outcome::done) return outcome;
      lift_unmatched();
      if (epsilon <= last) break;
      epsilon = std::max(last, epsilon / par("FALL", tuning::falling_factor));
    }
    return finish();
  }

  // Rectangles: an unmatched column has the dual zero. Rows that would now rather have it are found later.
  void lift_unmatched() {
    if (graph_.square()) return;
    for (std::int64_t j = 0; j < graph_.columns; ++j) {
      if (state_.row_of[j] == none) state_.v[j] = 0;
    }
  }

  // Infeasible problems end here and not in a price war.
  Outcome check_feasible() {
    MatchingState other(graph_);
    other.drop_matching();
    const Outcome outcome = match_entries(other, interrupt_);
    if (outcome != Outcome::done || other.free_rows.empty()) return outcome;
    PathSearch search(other);
    const Outcome found = search.augment(other.free_rows.back(), interrupt_);
    return found == Outcome::no_path ? infeasible_by(search.tree_rows()) : found;
  }

  Outcome finish() {
    lift_unmatched();
    const Fixed unit = graph_.unit;
    if (unit > 1) {
      for (Fixed& dual : state_.v) dual = (dual + unit / 2) & -unit;
    }
    Outcome outcome = refine_duals(state_, tuning::most_visits, interrupt_);
    TRACE("refine free %zu\n", state_.free_rows.size());
    if (outcome == Outcome::done) outcome = match_tight_entries(state_, interrupt_);
    TRACE("tight free %zu\n", state_.free_rows.size());
    if (outcome == Outcome::done && unit > 1) outcome = search_jointly();
    TRACE("joint free %zu\n", state_.free_rows.size());
    return outcome == Outcome::done ? search_paths(std::numeric_limits<std::int64_t>::max() / 2) : outcome;
  }

  // Hopcroft and Karp's phases at the distance of the nearest free column, as long as ties make them pay.
  Outcome search_jointly() {
    for (;;) {
      const auto before = static_cast<std::int64_t>(state_.free_rows.size());
      if (before < tuning::fewest_for_joint) return Outcome::done;
      Outcome outcome = search_.open_tight_path(interrupt_);
      if (outcome == Outcome::no_path) return infeasible_by(search_.tree_rows());
      if (outcome == Outcome::done) outcome = match_tight_entries(state_, interrupt_);
      if (outcome != Outcome::done) return outcome;
      const auto assigned = static_cast<double>(before - static_cast<std::int64_t>(state_.free_rows.size()));
      if (assigned < tuning::joint_share * static_cast<double>(before)) return Outcome::done;
    }
  }

  MatchingState& state_;
  const Graph& graph_;
  PathSearch search_;
  std::vector<std::int32_t>& violator_;
  Interrupt& interrupt_;
  Fixed range_ = 1;
  Increments increments_;
};

}  // namespace

Outcome solve(MatchingState& state, std::vector<std::int32_t>& violator, Interrupt& interrupt) {
  return Strategy(state, violator, interrupt).run();
}

}  // namespace rebasin::sparse
