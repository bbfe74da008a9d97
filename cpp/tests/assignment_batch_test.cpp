// Problems of one shape solved into stacked arrays: each as by itself, on any number of threads.
#include "rebasin/assignment_batch.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "matrices.hpp"
#include "parallel_problems.hpp"

namespace {

using namespace rebasin;

struct Outputs {
  std::vector<std::int64_t> columns;
  std::vector<double> row_duals, column_duals, objectives, gaps;
  std::vector<Status> statuses;

  Outputs(AssignmentBatch& batch)
      : columns(batch.count * batch.first.rows),
        row_duals(columns.size()),
        column_duals(batch.count * batch.first.columns),
        objectives(batch.count),
        gaps(batch.count),
        statuses(batch.count) {
    batch.columns = columns.data();
    batch.row_duals = row_duals.data();
    batch.column_duals = column_duals.data();
    batch.objectives = objectives.data();
    batch.gaps = gaps.data();
    batch.statuses = statuses.data();
  }
};

AssignmentBatch batch_of(const std::vector<float>& entries, std::int64_t count, std::int64_t n,
                         std::int64_t m) {
  return {.first = CostView<float>{entries.data(), n, m, m, 1, false}, .count = count, .stride = n * m * 4};
}

std::vector<float> draw(std::int64_t size) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform;
  std::vector<float> entries(static_cast<std::size_t>(size));
  for (float& entry : entries) entry = uniform(random);
  return entries;
}

}  // namespace

TEST_CASE("a batch is a loop") {
  constexpr std::int64_t count = 37, n = 9, m = 12;
  std::vector<float> entries = draw(count * n * m);
  entries[5 * n * m] = std::numeric_limits<float>::quiet_NaN();
  std::fill_n(entries.begin() + 8 * n * m, m, std::numeric_limits<float>::infinity());
  for (const int threads : {1, 4}) {
    AssignmentBatch batch = batch_of(entries, count, n, m);
    Outputs found(batch);
    Interrupt never;
    CHECK(solve_assignment_batch(batch, threads, never) == Status::ok);
    for (std::int64_t k = 0; k < count; ++k) {
      AnyCostView cost = batch.first;
      cost.data = entries.data() + k * n * m;
      AssignmentSolution one;
      const Status status = solve_assignment(cost, one, never);
      CHECK(found.statuses[k] == status);
      if (status != Status::ok) {
        CHECK(found.columns[k * n] == -1);
        CHECK(std::isnan(found.row_duals[k * n + n - 1]));
        CHECK(std::isnan(found.column_duals[k * m]));
        CHECK(std::isnan(found.objectives[k]));
        continue;
      }
      CHECK(std::equal(one.columns.begin(), one.columns.end(), found.columns.begin() + k * n));
      CHECK(std::equal(one.row_duals.begin(), one.row_duals.end(), found.row_duals.begin() + k * n));
      CHECK(std::equal(one.column_duals.begin(), one.column_duals.end(), found.column_duals.begin() + k * m));
      CHECK(one.objective == found.objectives[k]);
      CHECK(one.gap == found.gaps[k]);
    }
    CHECK(found.statuses[5] == Status::invalid_entry);
    CHECK(found.statuses[8] == Status::infeasible);
  }
}

TEST_CASE("a batch starts from its own duals and stops when asked") {
  constexpr std::int64_t count = 6, n = 80, m = 80;
  const std::vector<float> entries = draw(count * n * m);
  AssignmentBatch batch = batch_of(entries, count, n, m);
  Outputs cold(batch);
  Interrupt never;
  CHECK(solve_assignment_batch(batch, 1, never) == Status::ok);
  batch.start_row_duals = cold.row_duals.data();
  batch.start_column_duals = cold.column_duals.data();
  Outputs warm(batch);
  CHECK(solve_assignment_batch(batch, 2, never) == Status::ok);
  CHECK(warm.columns == cold.columns);
  CHECK(warm.objectives == cold.objectives);
  Interrupt at_once = stopped();
  CHECK(solve_assignment_batch(batch, 3, at_once) == Status::interrupted);
}

TEST_CASE("no problem of a queue begins once one was interrupted") {
  constexpr std::int64_t count = 200000, last = 1000;
  for (const int threads : {1, 4}) {
    std::vector<Status> statuses(count, Status::ok);
    std::atomic<std::int64_t> solved{0};
    Interrupt never;
    solve_on_threads(count, threads, statuses.data(), never, [&] {
      return [&](std::int64_t k, Interrupt&) {
        ++solved;
        return k == last ? Status::interrupted : Status::ok;
      };
    });
    CHECK(statuses.back() == Status::interrupted);
    CHECK(solved <= count - 1);
    if (threads == 1) CHECK(solved == last + 1);
  }
}

TEST_CASE("work in small pieces is due for a poll at least every 1024 of them") {
  WorkCount work;
  std::int64_t polls = 0;
  for (std::int64_t k = 0; k < 200000; ++k) polls += work.due() ? 1 : 0;
  CHECK(polls == 200000 / WorkCount::period);
  CHECK(WorkCount::period <= 1024);
}

TEST_CASE("a total beyond float64 is an overflow, with its pairs") {
  constexpr double largest = std::numeric_limits<double>::max();
  Interrupt never;
  for (const std::int64_t n : {2, 70}) {
    std::vector<double> entries(n * n, largest);
    entries[1] = largest / 2;
    AssignmentSolution solution;
    CHECK(solve_assignment(CostView<double>{entries.data(), n, n, n, 1, false}, solution, never) ==
          Status::overflow);
    CHECK(solution.columns[0] == 1);
  }
}

TEST_CASE("no dual of a proof is infinite") {
  const std::vector<double> entries = {1e308, -1e308, 1e308, 1e308};
  Interrupt never;
  AssignmentSolution solution;
  CHECK(solve_assignment(CostView<double>{entries.data(), 2, 2, 2, 1, false}, solution, never) == Status::ok);
  CHECK(solution.objective == 0.0);
  CHECK(solution.gap == 0.0);
  for (const double dual : solution.row_duals) CHECK(std::isfinite(dual));
  for (const double dual : solution.column_duals) CHECK(std::isfinite(dual));
}
