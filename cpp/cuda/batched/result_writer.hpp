// The results of one problem, in the caller's orientation, with the certificate.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/batched/problem_memory.hpp"
#include "cuda/certificate_row.hpp"
#include "rebasin/cuda.hpp"

namespace rebasin::cuda {

// A problem in the caller's orientation: the places of its results, and whether rows and columns were
// exchanged.
struct Result {
  std::int64_t* columns = nullptr;
  double* row_duals = nullptr;
  double* column_duals = nullptr;
  double* objective = nullptr;
  double* gap = nullptr;
  std::int32_t* status = nullptr;
  bool transposed = false;
};

template <class Team, class T>
class ResultWriter {
 public:
  REBASIN_HD ResultWriter(Team& team, const CostMatrix<T>& costs, ProblemMemory<T>& state,
                          const Result& result)
      : team_(team), costs_(costs), state_(state), result_(result) {}

  // By all threads; row_of, column_of and v of the state are the matching and its duals.
  REBASIN_HD void certify_and_write() {
    for (std::int64_t i = team_.warp_rank(); i < costs_.rows; i += team_.warps()) {
      const RowProof proof = certify_row(team_.warp(), costs_, state_.v, i, state_.column_of[i]);
      if (team_.warp().rank() != 0) continue;
      state_.bound[i] = proof.dual;
      state_.pair_cost[i] = proof.cost;
      state_.offset[i] = proof.slack;
    }
    team_.sync();
    if (team_.rank() == 0) write_totals();
    const double sign = costs_.negate ? -1.0 : 1.0;
    double* u = result_.transposed ? result_.column_duals : result_.row_duals;
    double* v = result_.transposed ? result_.row_duals : result_.column_duals;
    // Adding zero turns -0.0 into 0.0.
    for (std::int64_t i = team_.rank(); i < costs_.rows; i += team_.size()) {
      u[i] = sign * state_.bound[i] + 0.0;
      if (!result_.transposed) result_.columns[i] = state_.column_of[i];
    }
    for (std::int64_t j = team_.rank(); j < costs_.columns; j += team_.size()) {
      v[j] = sign * state_.v[j] + 0.0;
      if (result_.transposed) result_.columns[j] = state_.row_of[j];
    }
  }

  // Of a constant matrix, as SciPy does.
  REBASIN_HD void write_identity(double value) {
    const double sign = costs_.negate ? -1.0 : 1.0;
    double objective = 0.0;
    for (std::int64_t i = 0; i < costs_.rows; ++i) objective += sign * value;
    if (!is_finite(objective)) return give_up(ProblemStatus::unsolved);
    for (std::int64_t i = team_.rank(); i < caller_rows(); i += team_.size()) {
      result_.columns[i] = i < caller_columns() ? i : nobody;
      result_.row_duals[i] = result_.transposed ? 0.0 : sign * value + 0.0;
    }
    for (std::int64_t j = team_.rank(); j < caller_columns(); j += team_.size()) {
      result_.column_duals[j] = result_.transposed ? sign * value + 0.0 : 0.0;
    }
    if (team_.rank() != 0) return;
    *result_.objective = objective + 0.0;
    *result_.gap = 0.0;
    *result_.status = static_cast<std::int32_t>(ProblemStatus::optimal);
  }

  // Of a problem without an optimal assignment: -1 and NaN.
  REBASIN_HD void give_up(ProblemStatus status) {
    const double nan = ::nan("");
    for (std::int64_t i = team_.rank(); i < caller_rows(); i += team_.size()) {
      result_.columns[i] = nobody;
      result_.row_duals[i] = nan;
    }
    for (std::int64_t j = team_.rank(); j < caller_columns(); j += team_.size()) {
      result_.column_duals[j] = nan;
    }
    if (team_.rank() != 0) return;
    *result_.objective = nan;
    *result_.gap = nan;
    *result_.status = static_cast<std::int32_t>(status);
  }

 private:
  // The bound on the distance from the optimum, and the objective in order of the caller's rows.
  REBASIN_HD void write_totals() {
    constexpr double acceptable = 1e-12;
    double gap = 0.0;
    double magnitude = 0.0;
    for (std::int64_t i = 0; i < costs_.rows; ++i) {
      if (state_.offset[i] > 0.0) gap = sum_up(gap, state_.offset[i]);
      magnitude += state_.pair_cost[i] < 0.0 ? -state_.pair_cost[i] : state_.pair_cost[i];
    }
    double objective = 0.0;
    if (result_.transposed || costs_.rows < costs_.columns) {
      for (std::int64_t j = 0; j < costs_.columns; ++j) {
        const std::int32_t row = state_.row_of[j];
        if (row == nobody && state_.v[j] != 0.0) gap = sum_up(gap, -state_.v[j]);
        if (result_.transposed && row != nobody) objective += state_.pair_cost[row];
      }
    }
    for (std::int64_t i = 0; i < costs_.rows && !result_.transposed; ++i) objective += state_.pair_cost[i];
    *result_.objective = (costs_.negate ? -objective : objective) + 0.0;
    *result_.gap = gap;
    const bool proven = gap <= acceptable * magnitude && is_finite(magnitude);
    *result_.status = static_cast<std::int32_t>(proven ? ProblemStatus::optimal : ProblemStatus::unsolved);
  }

  REBASIN_HD static bool is_finite(double x) { return x - x == 0.0; }

  REBASIN_HD std::int64_t caller_rows() const { return result_.transposed ? costs_.columns : costs_.rows; }
  REBASIN_HD std::int64_t caller_columns() const { return result_.transposed ? costs_.rows : costs_.columns; }

  Team& team_;
  const CostMatrix<T>& costs_;
  ProblemMemory<T>& state_;
  const Result& result_;
};

}  // namespace rebasin::cuda
