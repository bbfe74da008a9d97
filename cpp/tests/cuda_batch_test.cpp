// The batch kernel's own source, run by one thread and by teams of threads, against the dense solver.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cuda/batched/batch.hpp"
#include "host_team.hpp"
#include "matrices.hpp"
#include "rebasin/assignment.hpp"

namespace {

using namespace rebasin;
using cuda::AssignmentBatch;
using cuda::ProblemStatus;

template <class T>
struct Problem {
  std::vector<T> entries;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool maximize = false;
};

template <class T>
Problem<T> draw(std::int64_t rows, std::int64_t columns, int kind, bool maximize, std::mt19937& random) {
  Problem<T> problem{draw_matrix<T>(rows, columns, kind, random).entries, rows, columns, maximize};
  if (maximize) {
    for (T& entry : problem.entries) entry = -entry;
  }
  return problem;
}

// Results of a batch of one, and the memory in which it is solved.
template <class T>
struct Solved {
  std::vector<std::int64_t> column_of;
  std::vector<double> row_duals, column_duals;
  double objective = 0.0, gap = 0.0;
  std::int32_t status = -1;
  std::vector<double> state_memory, list_memory;
  cuda::ProblemMemory<T> state;
  AssignmentBatch batch;

  Solved(const Problem<T>& problem, int warps, const Solved* start = nullptr)
      : column_of(static_cast<std::size_t>(problem.rows), -7),
        row_duals(static_cast<std::size_t>(problem.rows)),
        column_duals(static_cast<std::size_t>(problem.columns)) {
    batch.costs = problem.entries.data();
    batch.float64 = sizeof(T) == 8;
    batch.count = 1;
    batch.rows = problem.rows;
    batch.columns = problem.columns;
    batch.row_stride = problem.columns;
    batch.maximize = problem.maximize;
    batch.column_of_row = column_of.data();
    batch.row_duals = row_duals.data();
    batch.column_duals = column_duals.data();
    batch.objectives = &objective;
    batch.gaps = &gap;
    batch.statuses = &status;
    if (start != nullptr) {
      batch.start_row_duals = start->row_duals.data();
      batch.start_column_duals = start->column_duals.data();
    }
    const std::int64_t rows = cuda::transposed_rows(batch);
    const std::int64_t columns = cuda::transposed_columns(batch);
    state_memory.resize(
        static_cast<std::size_t>(cuda::place_state(state, rows, columns, warps, nullptr) / 8 + 2));
    list_memory.resize(static_cast<std::size_t>(cuda::place_lists(state, rows, nullptr) / 8 + 2));
  }

  cuda::ProblemMemory<T> placed(int warps) {
    cuda::ProblemMemory<T> memory;
    cuda::place_state(memory, cuda::transposed_rows(batch), cuda::transposed_columns(batch), warps,
                      reinterpret_cast<char*>(state_memory.data()));
    cuda::place_lists(memory, cuda::transposed_rows(batch), reinterpret_cast<char*>(list_memory.data()));
    return memory;
  }
};

template <class T>
Solved<T> solve_alone(const Problem<T>& problem, const Solved<T>* start = nullptr) {
  Solved<T> solved(problem, 1, start);
  cuda::SerialTeam team;
  cuda::ProblemMemory<T> memory = solved.placed(1);
  cuda::solve_one(team, solved.batch, 0, memory);
  return solved;
}

template <class T>
Solved<T> solve_together(const Problem<T>& problem, int warps, int lanes) {
  Solved<T> solved(problem, warps);
  cuda::run_team(warps, lanes, [&](cuda::ThreadTeam& team) {
    cuda::ProblemMemory<T> memory = solved.placed(warps);
    cuda::solve_one(team, solved.batch, 0, memory);
  });
  return solved;
}

template <class T>
Status solve_on_host(const Problem<T>& problem, AssignmentSolution& solution) {
  Interrupt never;
  return solve_assignment(CostView<T>{problem.entries.data(), problem.rows, problem.columns, problem.columns,
                                      1, problem.maximize},
                          solution, never);
}

// Feasible duals, complementary slackness, and each column used once.
template <class T>
void check_proof(const Problem<T>& problem, const Solved<T>& solved) {
  const double sign = problem.maximize ? -1.0 : 1.0;
  std::vector<int> used(static_cast<std::size_t>(problem.columns), 0);
  std::int64_t assigned = 0;
  double slack = 0.0;
  for (std::int64_t i = 0; i < problem.rows; ++i) {
    const auto row = static_cast<std::size_t>(i);
    const double u = sign * solved.row_duals[row];
    for (std::int64_t j = 0; j < problem.columns; ++j) {
      const auto column = static_cast<std::size_t>(j);
      const double cost =
          sign * static_cast<double>(problem.entries[static_cast<std::size_t>(i * problem.columns + j)]);
      const double reduced = cost - u - sign * solved.column_duals[column];
      CHECK(reduced >= -1e-12 * (1.0 + std::abs(cost) + std::abs(u)));
      if (solved.column_of[row] != j) continue;
      slack += reduced;
      ++assigned;
      CHECK(used[column]++ == 0);
    }
    if (solved.column_of[row] < 0) {
      CHECK(u == 0.0);
    }
  }
  CHECK(assigned == std::min(problem.rows, problem.columns));
  CHECK(slack <= solved.gap + 1e-9 * (1.0 + std::abs(solved.objective)));
}

template <class T>
void compare_with_host() {
  std::mt19937 random(3);
  int solved_count = 0;
  int unsolved = 0;
  for (int repeat = 0; repeat < 900; ++repeat) {
    const auto limit = static_cast<std::int64_t>(repeat % 10 == 0 ? 130 : 45);
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random()) % limit;
    const std::int64_t columns = repeat % 3 == 0 ? 1 + static_cast<std::int64_t>(random()) % limit : rows;
    const Problem<T> problem = draw<T>(rows, columns, repeat % 9, repeat % 2 == 1, random);
    const Solved<T> solved = solve_alone(problem);
    AssignmentSolution expected;
    const Status status = solve_on_host(problem, expected);
    if (solved.status == static_cast<std::int32_t>(ProblemStatus::unsolved)) {
      ++unsolved;
      continue;
    }
    CHECK(solved.status == static_cast<std::int32_t>(status));
    if (status != Status::ok || solved.status != 0) continue;
    ++solved_count;
    const double scale = 1.0 + std::abs(expected.objective);
    CHECK(std::abs(solved.objective - expected.objective) <= 1e-9 * scale);
    CHECK(solved.gap <= 1e-9 * scale);
    if (repeat % 9 == 1 || repeat % 9 == 4) CHECK(solved.gap == 0.0);
    check_proof(problem, solved);
  }
  CHECK(solved_count > 700);
  CHECK(unsolved < 40);
}

template <class T>
bool same(const Solved<T>& a, const Solved<T>& b) {
  return a.status == b.status && a.column_of == b.column_of && a.row_duals == b.row_duals &&
         a.column_duals == b.column_duals && a.objective == b.objective && a.gap == b.gap;
}

}  // namespace

TEST_CASE("cuda batch agrees with the host float") {
  compare_with_host<float>();
}

TEST_CASE("cuda batch agrees with the host double") {
  compare_with_host<double>();
}

TEST_CASE("cuda batch does not depend on the team") {
  std::mt19937 random(5);
  for (int repeat = 0; repeat < 27; ++repeat) {
    const std::int64_t rows = 2 + static_cast<std::int64_t>(random() % 30);
    const std::int64_t columns = repeat % 3 == 0 ? rows + static_cast<std::int64_t>(random() % 12) : rows;
    const Problem<float> problem = draw<float>(rows, columns, repeat % 9, repeat % 2 == 1, random);
    const Solved<float> alone = solve_alone(problem);
    if (alone.status != 0) continue;
    CHECK(same(alone, solve_together(problem, 1, 4)));
    CHECK(same(alone, solve_together(problem, 3, 2)));
  }
}

TEST_CASE("cuda batch starts from duals") {
  std::mt19937 random(6);
  for (int repeat = 0; repeat < 40; ++repeat) {
    const std::int64_t rows = 30 + static_cast<std::int64_t>(random() % 60);
    Problem<float> problem = draw<float>(rows, rows, repeat % 4, repeat % 2 == 1, random);
    const Solved<float> cold = solve_alone(problem);
    const Solved<float> same_again = solve_alone(problem, &cold);
    CHECK(same_again.status == 0);
    CHECK(std::abs(same_again.objective - cold.objective) <= 1e-9 * (1.0 + std::abs(cold.objective)));
    for (float& entry : problem.entries) entry += 1e-3f * static_cast<float>(random() % 100);
    const Solved<float> moved_cold = solve_alone(problem);
    const Solved<float> moved_warm = solve_alone(problem, &cold);
    CHECK(moved_warm.status == 0);
    CHECK(std::abs(moved_warm.objective - moved_cold.objective) <=
          1e-9 * (1.0 + std::abs(moved_cold.objective)));
    check_proof(problem, moved_warm);
  }
}

TEST_CASE("cuda batch reports bad problems") {
  std::mt19937 random(7);
  Problem<float> problem = draw<float>(5, 5, 0, false, random);
  problem.entries[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(solve_alone(problem).status == static_cast<std::int32_t>(ProblemStatus::invalid));
  problem.entries[7] = -std::numeric_limits<float>::infinity();
  CHECK(solve_alone(problem).status == static_cast<std::int32_t>(ProblemStatus::invalid));
  problem.maximize = true;
  CHECK(solve_alone(problem).status == 0);
  problem.maximize = false;
  for (int j = 0; j < 5; ++j)
    problem.entries[static_cast<std::size_t>(5 + j)] = std::numeric_limits<float>::infinity();
  const Solved<float> infeasible = solve_alone(problem);
  CHECK(infeasible.status == static_cast<std::int32_t>(ProblemStatus::infeasible));
  CHECK(infeasible.column_of[0] == -1);
  CHECK(std::isnan(infeasible.objective));
  CHECK(std::isnan(infeasible.row_duals[0]));
  const Problem<float> constant = draw<float>(6, 4, 8, false, random);
  const Solved<float> identity = solve_alone(constant);
  CHECK(identity.objective == 8.0);
  CHECK(identity.gap == 0.0);
  CHECK((identity.column_of == std::vector<std::int64_t>{0, 1, 2, 3, -1, -1}));
}

TEST_CASE("cuda batch leaves other magnitudes to the host") {
  Problem<float> problem{{1e20f, 1e-7f, 3e-7f, 1e20f}, 2, 2, false};
  const Solved<float> solved = solve_alone(problem);
  CHECK((solved.status == static_cast<std::int32_t>(ProblemStatus::unsolved) || solved.gap <= 1e-12 * 4e-7));
}
