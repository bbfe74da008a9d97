#include "rebasin/descent.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>

#include "cost/objective.hpp"
#include "planted.hpp"

namespace {

template <class T>
void check_planted(DType dtype) {
  const Planted planted(dtype);
  const DescentResult result = descend<T>(planted.problem, sweeps(50));
  CHECK(result.converged);
  CHECK(result.permutations[0] == inverse(planted.first));
  CHECK(result.permutations[1] == inverse(planted.second));
  // Sums of products of multiples of 1/64 are exact.
  CHECK(result.objective == planted.norm());
  CHECK(result.history.back() == result.objective);
  CHECK(std::is_sorted(result.history.begin(), result.history.end()));
  CHECK(result.first_objective < result.objective);
}

TEST_CASE("planted permutations are recovered from every dtype") {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    check_planted<float>(dtype);
    check_planted<double>(dtype);
  }
}

// Every arrangement of strides gives the same answer.
TEST_CASE("strides do not matter") {
  const Planted planted(DType::float32);
  Problem strided = planted.problem;
  std::vector<std::vector<float>> copies;
  for (Tensor& tensor : strided.tensors) {
    const auto* values = static_cast<const float*>(tensor.b);
    const std::int64_t rows = tensor.shape[0], columns = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
    std::vector<float>& copy = copies.emplace_back(static_cast<std::size_t>(2 * rows * columns));
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        copy[static_cast<std::size_t>(2 * ((columns - 1 - j) * rows + rows - 1 - i))] =
            values[i * columns + j];
      }
    }
    tensor.b = copy.data() + 2 * (rows * columns - 1);
    tensor.b_strides = {-2};
    if (tensor.shape.size() > 1) tensor.b_strides = {-2, -2 * rows};
  }
  const DescentResult expected = descend<float>(planted.problem, sweeps(50));
  const DescentResult found = descend<float>(strided, sweeps(50));
  CHECK(found.permutations == expected.permutations);
  CHECK(found.objective == expected.objective);
  CHECK(found.history == expected.history);
}

TEST_CASE("units that own several positions") {
  // Axis of 3 x 5 positions, blocks of 3; A's units reversed in B.
  std::mt19937 random(1);
  const std::vector<double> values = random_values(15, random);
  std::vector<double> moved(15);
  for (std::size_t i = 0; i < 15; ++i) moved[i] = values[3 * (4 - i / 3) + i % 3];
  Problem problem;
  problem.permutations = {{5, {}}};
  problem.tensors.push_back(
      {values.data(), moved.data(), DType::float64, {15}, {1}, {1}, {{{0}, 0, 3, iota(15)}}});
  const DescentResult result = descend<double>(problem, sweeps(3, {0}));
  CHECK((result.permutations[0] == Permutation{4, 3, 2, 1, 0}));
}

TEST_CASE("units within units step together") {
  // Two heads of three dims; B has the heads exchanged, and each head's dims in an order of its own.
  std::mt19937 random(2);
  const std::vector<double> values = random_values(6 * 8, random);
  const std::int64_t source[6] = {5, 3, 4, 1, 0, 2};
  std::vector<double> moved;
  for (const std::int64_t unit : source) {
    moved.insert(moved.end(), values.begin() + 8 * unit, values.begin() + 8 * (unit + 1));
  }
  Problem problem;
  problem.permutations = {{2, {}}, {3, {0}}};
  problem.tensors.push_back(
      {values.data(), moved.data(), DType::float64, {6, 8}, {8, 1}, {8, 1}, {{{0, 1}, 0, 1, iota(6)}}});
  DescentResult result;
  result.permutations = {{0, 1}, {0, 1, 2, 0, 1, 2}};
  Interrupt never;
  CHECK(coordinate_descent<double>(problem, naive_gemm<double>, sweeps(5), result, never) == Status::ok);
  CHECK((result.permutations[0] == Permutation{1, 0}));
  double norm = 0.0;
  for (const double value : values) norm += value * value;
  CHECK(result.objective == norm);
}

TEST_CASE("two axes of one tensor take only steps that help") {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    const std::vector<double> a = random_values(36, random), b = random_values(36, random);
    Problem problem;
    problem.permutations = {{6, {}}};
    problem.tensors.push_back(
        {a.data(), b.data(), DType::float64, {6, 6}, {6, 1}, {6, 1}, {whole(0, 0, 6), whole(0, 1, 6)}});
    const DescentResult result = descend<double>(problem, sweeps(100, {0}));
    CHECK(result.converged);
    CHECK(std::is_sorted(result.history.begin(), result.history.end()));
    CHECK(result.objective >= result.first_objective);
    double objective = 0.0;
    const Permutation& units = result.permutations[0];
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t j = 0; j < 6; ++j) {
        objective += a[6 * i + j] * b[static_cast<std::size_t>(6 * units[i] + units[j])];
      }
    }
    CHECK(result.objective == objective);
  }
}

TEST_CASE("a visit is skipped when nothing it sees has moved") {
  const Planted planted(DType::float32);
  const DescentResult result = descend<float>(planted.problem, sweeps(50));
  CHECK(result.stats.visits == result.stats.assignments + result.stats.skipped_visits);
  CHECK(result.stats.visits == 2 * static_cast<std::int64_t>(result.history.size()));
  CHECK(result.stats.skipped_visits > 0);
}

TEST_CASE("no sweeps and no tensors") {
  const Planted planted(DType::float32);
  const DescentResult result = descend<float>(planted.problem, sweeps(0));
  CHECK(!result.converged);
  CHECK(result.objective == result.first_objective);

  Problem empty;
  empty.permutations = {{3, {}}};
  const DescentResult nothing = descend<float>(empty, sweeps(2, {0}));
  CHECK(nothing.objective == 0.0);
  CHECK(nothing.permutations[0] == iota(3));
}

TEST_CASE("overflow of either sign is reported") {
  for (const float sign : {1.0f, -1.0f}) {
    const std::vector<float> a{1e30f, 0, 0, 1e30f}, b{sign * 1e30f, 0, 0, sign * 1e30f};
    Problem problem;
    problem.permutations = {{2, {}}};
    problem.tensors.push_back({a.data(), b.data(), DType::float32, {2, 2}, {2, 1}, {2, 1}, {whole(0, 0, 2)}});
    const DescentResult result = descend<float>(problem, sweeps(1, {0}), Status::invalid_entry);
  }
}

TEST_CASE("kept similarities take the same steps for less work") {
  const Planted one(DType::float32, 3), other(DType::float32, 4);
  const Problem unrelated = unrelated_to(one, other);
  DescentOptions options = sweeps(100);
  const DescentResult plain = descend<float>(unrelated, options);
  options.bytes_to_keep = 1e9;
  const DescentResult kept = descend<float>(unrelated, options);
  CHECK(kept.permutations == plain.permutations);
  CHECK(kept.history.size() > 2);
  CHECK(kept.stats.product_flop < plain.stats.product_flop);
}

TEST_CASE("gains of moved positions are differences of objectives") {
  std::mt19937 random(6);
  const Planted planted(DType::float32, 7);
  const Problem& problem = planted.problem;
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<Permutation> before{shuffled(24, random), shuffled(24, random)}, after = before;
    if (trial % 3 != 1) std::swap(after[0][3], after[0][17]);
    if (trial % 3 != 2) std::shuffle(after[1].begin(), after[1].end(), random);
    const Gather old(problem, before), now(problem, after);
    for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
      const double gain = tensor_gain(problem, now, old.b_tables(t), t);
      CHECK(gain == tensor_objective(problem, now, t) - tensor_objective(problem, old, t));
    }
  }
}

TEST_CASE("entries that are not finite are reported") {
  const std::vector<float> a{1.0f, std::numeric_limits<float>::quiet_NaN()}, b{1.0f, 0.0f};
  Problem problem;
  problem.permutations = {{2, {}}};
  problem.tensors.push_back({a.data(), b.data(), DType::float32, {2}, {1}, {1}, {whole(0, 0, 2)}});
  for (int swap = 0; swap < 2; ++swap) {
    const DescentResult result = descend<float>(problem, DescentOptions{}, Status::invalid_entry);
    std::swap(problem.tensors[0].a, problem.tensors[0].b);
  }
}

TEST_CASE("a listener stops the descent") {
  const Planted planted(DType::float32);
  std::vector<DescentEvent> events;
  DescentOptions options = sweeps(50);
  options.on_visit = [&](const DescentEvent& event) {
    events.push_back(event);
    return events.size() < 3;
  };
  const DescentResult result = descend<float>(planted.problem, options, Status::interrupted);
  CHECK(events.size() == 3);
  CHECK(events[0].sweep == 0);
  CHECK(events[0].visit == 1);
  CHECK(events[0].visits == 2);
  CHECK(events[0].permutation == 0);
  CHECK(events[2].sweep == 1);
  CHECK(events[2].visit == 1);
  CHECK(events[0].objective <= events[1].objective);
}

TEST_CASE("an interrupt stops the descent") {
  const Planted planted(DType::float32);
  DescentResult result = identity_of(planted.problem);
  Interrupt interrupt([](void*) { return true; }, nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));  // the interrupt asks every 50 ms
  CHECK(coordinate_descent<float>(planted.problem, naive_gemm<float>, sweeps(50), result, interrupt) ==
        Status::interrupted);
}

TEST_CASE("one problem serves many threads") {
  const Planted planted(DType::float16);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      DescentResult result = identity_of(planted.problem);
      Interrupt never;
      const Status status =
          coordinate_descent<float>(planted.problem, naive_gemm<float>, sweeps(50), result, never);
      right += status == Status::ok && result.permutations[0] == inverse(planted.first);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 4);
}

}  // namespace
