// One assignment problem, solved and certified by one team: the body of the batch kernel.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/batched/list_bidding.hpp"
#include "cuda/batched/list_paths.hpp"
#include "cuda/batched/result_writer.hpp"
#include "cuda/batched/survey.hpp"
#include "rebasin/cuda.hpp"

namespace rebasin::cuda {

template <class Team, class T>
class TeamSolver {
 public:
  REBASIN_HD TeamSolver(Team& team, const CostMatrix<T>& costs, ProblemMemory<T>& state, const Result& result)
      : team_(team), costs_(costs), state_(state), results_(team, costs, state, result) {}

  // `start` holds a dual for each column of the transposed problem, or is null. Rectangles ignore it.
  REBASIN_HD void solve(const double* start) {
    const Survey survey = survey_costs(team_, costs_, state_);
    if (survey.invalid != 0) return results_.give_up(ProblemStatus::invalid);
    if (!(survey.least < infinity)) return results_.give_up(ProblemStatus::infeasible);
    if (survey.constant()) return results_.write_identity(survey.least);
    grid_ = grid_for<T>(survey.largest());
    if (!(grid_.limit > 0.0)) return results_.give_up(ProblemStatus::unsolved);
    const bool square = costs_.rows == costs_.columns;
    set_duals(square ? start : nullptr, square);
    build_lists();
    const std::int64_t distinct = count_distinct_best();
    if (team_.warp_rank() == 0) match_rows(distinct, square && start != nullptr);
    team_.sync();
    const auto outcome = static_cast<Attempt>(*state_.outcome);
    if (outcome == Attempt::infeasible) return results_.give_up(ProblemStatus::infeasible);
    if (outcome != Attempt::solved) return results_.give_up(ProblemStatus::unsolved);
    results_.certify_and_write();
  }

 private:
  REBASIN_HD void set_duals(const double* start, bool square) {
    team_.sync();
    for (std::int64_t j = team_.rank(); j < costs_.columns; j += team_.size()) {
      double dual = square ? state_.v[j] : 0.0;
      if (start != nullptr) {
        const double given = costs_.negate ? -start[j] : start[j];
        // Duals from another scale would leave the grid; the column's own start serves as well.
        if (given > -grid_.limit / 4 && given < grid_.limit / 4) dual = given;
      }
      state_.v[j] = grid_.round(dual);
    }
    team_.sync();
  }

  REBASIN_HD void build_lists() {
    double* minima = state_.minima + bucket_count * team_.warp_rank();
    for (std::int64_t i = team_.warp_rank(); i < costs_.rows; i += team_.warps()) {
      const RowCandidates found =
          list_candidates(team_.warp(), costs_, grid_, state_.v, i, minima,
                          state_.list_cost + i * list_capacity, state_.list_column + i * list_capacity);
      if (team_.warp().rank() != 0) continue;
      state_.bound[i] = found.bound;
      state_.offset[i] = found.best < infinity ? found.width : 0.0;
    }
    team_.sync();
  }

  // Columns that are some row's best; the row's first best counts.
  REBASIN_HD std::int64_t count_distinct_best() {
    for (std::int64_t j = team_.rank(); j < costs_.columns; j += team_.size()) state_.row_of[j] = nobody;
    team_.sync();
    for (std::int64_t i = team_.rank(); i < costs_.rows; i += team_.size()) {
      double best = infinity;
      std::int64_t column = 0;
      for (int place = 0; place < list_capacity; ++place) {
        const std::int64_t at = i * list_capacity + place;
        const std::int64_t j = state_.list_column[at];
        const double reduced = grid_.round(static_cast<double>(state_.list_cost[at])) - state_.v[j];
        if (!(reduced < best)) continue;
        best = reduced;
        column = j;
      }
      state_.from[i] = static_cast<std::int32_t>(column);
    }
    team_.sync();
    std::int64_t distinct = 0;
    if (team_.rank() == 0) {
      for (std::int64_t i = 0; i < costs_.rows; ++i) {
        std::int32_t& seen = state_.row_of[state_.from[i]];
        distinct += seen == nobody ? 1 : 0;
        seen = 0;
      }
    }
    return team_.reduce(distinct, Sum());
  }

  // Mean distance between neighbours on the lists; 0 where most rows' best entries are ties. Summed as
  // integers, so that the order does not matter.
  template <class Warp>
  REBASIN_HD double mean_spacing(Warp& warp) {
    constexpr double coarser = 256.0;
    std::int64_t total = 0;
    std::int64_t spread = 0;
    std::int64_t tied = 0;
    for (std::int64_t i = warp.rank(); i < costs_.rows; i += warp.size()) {
      total += static_cast<std::int64_t>(smaller(state_.offset[i] / (coarser * grid_.step), 0x1p44));
      ++(state_.offset[i] > 0x1p-30 * grid_.limit ? spread : tied);
    }
    total = warp.reduce(total, Sum());
    spread = warp.reduce(spread, Sum());
    tied = warp.reduce(tied, Sum());
    if (spread <= tied) return 0.0;
    constexpr double usual_length = 16.0;
    return static_cast<double>(total) * coarser * grid_.step /
           (usual_length * static_cast<double>(costs_.rows));
  }

  // By the first warp, while the others wait; writes only state.
  REBASIN_HD void match_rows(std::int64_t distinct, bool warm) {
    auto& warp = team_.warp();
    ListBidding bidding(warp, costs_, grid_, state_);
    const bool square = costs_.rows == costs_.columns;
    const bool nearly_solved = distinct * 100 >= costs_.rows * (warm ? 75 : 90);
    Attempt outcome = Attempt::solved;
    if (square && !nearly_solved && costs_.rows >= fewest_rows_for_auction) {
      outcome = run_auction(bidding, mean_spacing(warp));
    }
    if (outcome == Attempt::solved) outcome = bidding.reduce_rows();
    ListPaths paths(warp, costs_, grid_, state_);
    for (std::int32_t k = 0; k < bidding.free_rows() && outcome == Attempt::solved; ++k) {
      outcome = paths.augment(state_.stack[k]);
    }
    if (warp.rank() == 0) *state_.outcome = static_cast<std::int32_t>(outcome);
  }

  // A phase at an epsilon that suits the spacing; coarser ones first where its budget runs out. Only v stays.
  template <class Bidding>
  REBASIN_HD Attempt run_auction(Bidding& bidding, double spacing) {
    constexpr double share = 0.15;
    constexpr int most_phases = 32;
    if (!(spacing > 0.0)) return Attempt::solved;
    const double finest = larger(grid_.step, ::ldexp(1.0, ::ilogb(share * spacing * 1.5)));
    double epsilon = finest;
    for (int phase = 0; phase < most_phases; ++phase) {
      const Attempt outcome = bidding.run_phase(epsilon, 16 * costs_.rows);
      if (outcome == Attempt::solved) {
        if (epsilon <= finest) return outcome;
        epsilon = larger(finest, epsilon / 4);
      } else if (outcome == Attempt::out_of_budget) {
        if (epsilon > grid_.limit / 1024) return Attempt::solved;
        epsilon *= 8;
      } else {
        return outcome;
      }
    }
    return Attempt::solved;
  }

  static constexpr std::int64_t fewest_rows_for_auction = 24;

  Team& team_;
  const CostMatrix<T>& costs_;
  ProblemMemory<T>& state_;
  ResultWriter<Team, T> results_;
  Grid grid_;
};

}  // namespace rebasin::cuda
