#include <algorithm>
#include <limits>

#include "parallel_problems.hpp"
#include "rebasin/assignment_batch.hpp"

namespace rebasin {
namespace {

// Solves problems of a batch into the caller's arrays; one a thread.
class BatchSolver {
 public:
  explicit BatchSolver(const AssignmentBatch& batch) : batch_(batch) {}

  Status operator()(std::int64_t k, Interrupt& interrupt) {
    const std::int64_t n = batch_.first.rows;
    const std::int64_t m = batch_.first.columns;
    AnyCostView cost = batch_.first;
    cost.data = static_cast<const char*>(cost.data) + k * batch_.stride;
    WarmStart start;
    const bool warm = batch_.start_row_duals != nullptr;
    if (warm) start = {batch_.start_row_duals + k * n, batch_.start_column_duals + k * m};
    const Status status =
        solve_assignment(cost, solution_, interrupt, {.warm_start = warm ? &start : nullptr});
    if (status == Status::ok) {
      store(k);
    } else {
      store_nothing(k);
    }
    return status;
  }

 private:
  void store(std::int64_t k) {
    const std::int64_t n = batch_.first.rows;
    const std::int64_t m = batch_.first.columns;
    std::copy_n(solution_.columns.data(), n, batch_.columns + k * n);
    std::copy_n(solution_.row_duals.data(), n, batch_.row_duals + k * n);
    std::copy_n(solution_.column_duals.data(), m, batch_.column_duals + k * m);
    batch_.objectives[k] = solution_.objective;
    batch_.gaps[k] = solution_.gap;
  }

  void store_nothing(std::int64_t k) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const std::int64_t n = batch_.first.rows;
    const std::int64_t m = batch_.first.columns;
    std::fill_n(batch_.columns + k * n, n, std::int64_t{-1});
    std::fill_n(batch_.row_duals + k * n, n, nan);
    std::fill_n(batch_.column_duals + k * m, m, nan);
    batch_.objectives[k] = nan;
    batch_.gaps[k] = nan;
  }

  const AssignmentBatch& batch_;
  AssignmentSolution solution_;
};

}  // namespace

void solve_assignments(const AnyCostView* costs, const WarmStart* warm_starts, std::int64_t count,
                       AssignmentSolution* solutions, Status* statuses, int threads, Interrupt& interrupt) {
  solve_on_threads(count, threads, statuses, interrupt, [&] {
    return [&](std::int64_t k, Interrupt& own) {
      return solve_assignment(costs[k], solutions[k], own,
                              {.warm_start = warm_starts == nullptr ? nullptr : warm_starts + k});
    };
  });
}

Status solve_assignment_batch(const AssignmentBatch& batch, int threads, Interrupt& interrupt) {
  solve_on_threads(batch.count, threads, batch.statuses, interrupt, [&] { return BatchSolver(batch); });
  for (std::int64_t k = 0; k < batch.count; ++k) {
    const Status status = batch.statuses[k];
    if (status == Status::interrupted || status == Status::out_of_memory) return status;
  }
  return Status::ok;
}

}  // namespace rebasin
