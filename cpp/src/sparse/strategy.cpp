#include "sparse/strategy.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "sparse/path_search.hpp"
#include "sparse/stages.hpp"
#include "sparse/tuning.hpp"

namespace rebasin::sparse {
namespace {

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

constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max() / 2;

struct Increments {
  Fixed first = 1;
  Fixed last = 1;
};

class Strategy {
 public:
  Strategy(MatchingState& state, Interrupt& interrupt)
      : state_(state), graph_(state.graph), search_(state), interrupt_(interrupt) {}

  std::vector<std::int32_t> take_violator() { return std::move(violator_); }

  Attempt run(double direct_reads) {
    for (std::int32_t i = 0; i < graph_.rows; ++i) {
      if (state_.degree(i) == 0) return infeasible_by({i});
    }
    if (graph_.square()) reduce_columns(state_);
    state_.drop_matching();
    find_range();
    Attempt attempt =
        reduce_rows(state_, range_, tuning::first_rounds, reads(tuning::first_reads), interrupt_);
    if (attempt == Attempt::solved) attempt = match_ties();
    if (attempt == Attempt::solved) attempt = search_paths(direct_budget(direct_reads));
    if (attempt == Attempt::out_of_budget) attempt = leave_paths();
    if (attempt == Attempt::solved && !graph_.square()) attempt = release_columns(state_, interrupt_);
    state_.counters.entries_read += search_.entries_read();
    return attempt;
  }

 private:
  std::int64_t reads(double count) const {
    return static_cast<std::int64_t>(count * static_cast<double>(graph_.entries()));
  }

  std::int64_t direct_budget(double direct_reads) const {
    return direct_reads > 0.0 ? std::max(reads(direct_reads), tuning::fewest_direct_entries) : 0;
  }

  Attempt infeasible_by(std::vector<std::int32_t> rows) {
    violator_ = std::move(rows);
    return Attempt::infeasible;
  }

  void find_range() {
    Fixed least = fixed_infinity;
    Fixed greatest = -fixed_infinity;
    for (std::int64_t k = 0; k < graph_.entries(); ++k) {
      least = std::min(least, graph_.cost[k]);
      greatest = std::max(greatest, graph_.cost[k]);
    }
    range_ = std::max<Fixed>(greatest - least, 1);
  }

  // From sampled rows at the first duals, where gaps are still open. Leaves these duals.
  void choose_increments() {
    if (graph_.square()) {
      reduce_columns(state_);
    } else {
      std::fill(state_.v.begin(), state_.v.end(), 0);
    }
    std::vector<Fixed> gaps;
    const std::int64_t step = std::max<std::int64_t>(1, graph_.rows / tuning::sampled_rows);
    for (std::int64_t i = 0; i < graph_.rows; i += step) {
      const TwoBest two = state_.two_best(static_cast<std::int32_t>(i));
      const Fixed gap = two.second - two.best;
      if (gap > 0 && gap <= range_) gaps.push_back(gap);
    }
    if (gaps.empty()) gaps.push_back(range_);
    std::sort(gaps.begin(), gaps.end());
    const auto quantile = [&](double q) {
      return static_cast<double>(gaps[q * static_cast<double>(gaps.size() - 1)]);
    };
    increments_.last = static_cast<Fixed>(tuning::last_factor * quantile(tuning::last_quantile));
    increments_.last = std::max({increments_.last, graph_.unit / tuning::unit_fraction, Fixed{1}});
    increments_.first = static_cast<Fixed>(tuning::first_factor * quantile(tuning::first_quantile));
    increments_.first = std::max(increments_.first, increments_.last);
  }

  // One path after the other; out_of_budget where the budget does not suffice, or is not expected to.
  Attempt search_paths(std::int64_t budget) {
    const std::int64_t before = search_.entries_read();
    std::int64_t recent = before;
    for (std::int64_t done = 1; !state_.free_rows.empty(); ++done) {
      const Attempt attempt = search_.augment(state_.free_rows.back(), interrupt_);
      if (attempt == Attempt::infeasible) return infeasible_by(search_.tree_rows());
      if (attempt != Attempt::solved) return attempt;
      state_.free_rows.pop_back();
      const auto left = static_cast<std::int64_t>(state_.free_rows.size());
      const std::int64_t unspent = budget - (search_.entries_read() - before);
      if (left > 0 && unspent < 0) return Attempt::out_of_budget;
      if (left == 0 || done % tuning::searches_between_forecasts != 0) continue;
      // Paths get longer as free columns get fewer, so this is rather too little.
      const std::int64_t mean = (search_.entries_read() - recent) / tuning::searches_between_forecasts;
      if (mean > unspent / left) return Attempt::out_of_budget;
      recent = search_.entries_read();
    }
    return Attempt::solved;
  }

  // Tight entries first; where most free rows have one, matching among ties continues.
  Attempt match_ties() {
    const std::size_t before = state_.free_rows.size();
    const Attempt attempt = match_tight_entries(state_, interrupt_);
    const bool ties = state_.free_rows.size() < before / 2;
    return attempt == Attempt::solved && ties ? search_jointly() : attempt;
  }

  // The auction; where it fails, the path searches continue from the state before it.
  Attempt leave_paths() {
    const PartialMatching before = state_;
    choose_increments();
    state_.v = before.v;
    const Attempt attempt = run_levels();
    if (attempt == Attempt::solved) return finish();
    if (attempt != Attempt::out_of_budget && attempt != Attempt::declined) return attempt;
    static_cast<PartialMatching&>(state_) = before;
    return search_paths(unlimited);
  }

  // Auctions with falling epsilon, each from the duals of the one before.
  Attempt run_levels() {
    auto epsilon = static_cast<double>(increments_.first);
    const auto last = static_cast<double>(increments_.last);
    bool retried = false;
    for (;;) {
      state_.drop_matching();
      ++state_.counters.levels;
      const double allowed = retried ? tuning::retried_level_reads : tuning::level_reads;
      const Attempt attempt =
          run_auction(state_, static_cast<Fixed>(epsilon), range_, reads(allowed), interrupt_);
      if (attempt == Attempt::out_of_budget && !retried) {
        const Attempt feasible = check_feasible();
        if (feasible != Attempt::solved) return feasible;
        retried = true;
        epsilon *= tuning::retry_factor;
        continue;
      }
      if (attempt != Attempt::solved) return attempt;
      lift_unmatched();
      if (epsilon <= last) return Attempt::solved;
      epsilon = std::max(last, epsilon / tuning::falling_factor);
    }
  }

  // Rectangles: an unmatched column has the dual zero. Rows whose best column it now is are found later.
  void lift_unmatched() {
    if (graph_.square()) return;
    for (std::int64_t j = 0; j < graph_.columns; ++j) {
      if (state_.row_of[j] == none) state_.v[j] = 0;
    }
  }

  // Infeasible problems end here and not in a price war.
  Attempt check_feasible() {
    MatchingState other(graph_);
    other.drop_matching();
    const Attempt attempt = match_entries(other, interrupt_);
    if (attempt != Attempt::solved || other.free_rows.empty()) return attempt;
    PathSearch search(other);
    const Attempt found = search.augment(other.free_rows.back(), interrupt_);
    return found == Attempt::infeasible ? infeasible_by(search.tree_rows()) : found;
  }

  Attempt finish() {
    lift_unmatched();
    const Fixed unit = graph_.unit;
    if (unit > 1) {
      for (Fixed& dual : state_.v) dual = (dual + unit / 2) & -unit;
    }
    Attempt attempt = refine_duals(state_, tuning::most_visits, interrupt_);
    if (attempt == Attempt::solved) attempt = match_tight_entries(state_, interrupt_);
    if (attempt == Attempt::solved && unit > 1) attempt = search_jointly();
    return attempt == Attempt::solved ? search_paths(unlimited) : attempt;
  }

  // Hopcroft and Karp's phases at the distance of the nearest free column, as long as ties make them pay.
  Attempt search_jointly() {
    for (;;) {
      const auto before = static_cast<std::int64_t>(state_.free_rows.size());
      if (before < tuning::fewest_for_joint) return Attempt::solved;
      Attempt attempt = search_.open_tight_path(interrupt_);
      if (attempt == Attempt::infeasible) return infeasible_by(search_.tree_rows());
      if (attempt == Attempt::solved) attempt = match_tight_entries(state_, interrupt_);
      if (attempt != Attempt::solved) return attempt;
      const auto assigned = static_cast<double>(before - static_cast<std::int64_t>(state_.free_rows.size()));
      if (assigned < tuning::joint_share * static_cast<double>(before)) return Attempt::solved;
    }
  }

  MatchingState& state_;
  const Graph& graph_;
  PathSearch search_;
  std::vector<std::int32_t> violator_;
  Interrupt& interrupt_;
  Fixed range_ = 1;
  Increments increments_;
};

}  // namespace

Solved solve(MatchingState& state, Interrupt& interrupt, double direct_reads) {
  Strategy strategy(state, interrupt);
  const Attempt attempt = strategy.run(direct_reads);
  return {attempt, strategy.take_violator()};
}

}  // namespace rebasin::sparse
