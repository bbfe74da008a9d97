#include <chrono>
#include <cmath>
#include <new>

#include "cost/gather.hpp"
#include "cost/objective.hpp"
#include "cost/similarity.hpp"
#include "descent/neighbours.hpp"
#include "rebasin/assignment.hpp"
#include "rebasin/descent.hpp"

namespace rebasin {
namespace {

// Adds the time of a scope to a sum of seconds.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_;
};

template <class T>
class Descent {
 public:
  Descent(const Problem& problem, Gemm<T> gemm, const DescentOptions& options, DescentResult& result,
          Interrupt& interrupt)
      : problem_(problem),
        options_(options),
        result_(result),
        interrupt_(interrupt),
        gather_(problem, result.permutations),
        neighbours_(problem),
        similarity_(problem, gemm),
        pending_(problem.sizes.size(), true) {}

  Status run() {
    measure_all_tensors();
    result_.first_objective = result_.objective;
    for (std::size_t sweep = 0; sweep < options_.orders.size() && !result_.converged; ++sweep) {
      const std::int64_t accepted_before = result_.stats.accepted_steps;
      const Status status = sweep_once(static_cast<std::int64_t>(sweep), options_.orders[sweep]);
      result_.stats.product_flop = similarity_.flop();
      if (status != Status::ok) return status;
      result_.history.push_back(result_.objective);
      result_.converged = result_.stats.accepted_steps == accepted_before;
    }
    return Status::ok;
  }

 private:
  Status sweep_once(std::int64_t sweep, const std::vector<std::int32_t>& order) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Status status = visit(order[i]);
      if (status != Status::ok) return status;
      if (options_.on_visit == nullptr) continue;
      const DescentEvent event{sweep, static_cast<std::int64_t>(i) + 1,
                               static_cast<std::int64_t>(order.size()), order[i], result_.objective};
      if (!options_.on_visit(options_.context, event)) return Status::interrupted;
    }
    return Status::ok;
  }

  Status visit(std::int32_t permutation) {
    const auto p = static_cast<std::size_t>(permutation);
    ++result_.stats.visits;
    if (!pending_[p]) {
      ++result_.stats.skipped_visits;
      return Status::ok;
    }
    const Status status = propose(permutation);
    if (status != Status::ok) return status;
    // Cleared before the step: a permutation that is its own neighbour is pending again once it has moved.
    pending_[p] = false;
    if (proposal_.columns != result_.permutations[p]) accept_if_better(permutation);
    return Status::ok;
  }

  Status propose(std::int32_t permutation) {
    const std::int64_t n = problem_.sizes[static_cast<std::size_t>(permutation)];
    matrix_.resize(static_cast<std::size_t>(n * n));
    {
      const Stopwatch watch(result_.stats.product_seconds);
      const Status status = similarity_.compute(permutation, gather_, matrix_.data(), interrupt_);
      if (status != Status::ok) return status;
    }
    const Stopwatch watch(result_.stats.assignment_seconds);
    ++result_.stats.assignments;
    return solve_assignment(CostView<T>{matrix_.data(), n, n, n, 1, true}, proposal_, interrupt_);
  }

  void accept_if_better(std::int32_t permutation) {
    const Stopwatch watch(result_.stats.objective_seconds);
    const auto p = static_cast<std::size_t>(permutation);
    gather_.set(permutation, proposal_.columns);
    const std::vector<std::size_t>& touched = neighbours_.tensors_of(permutation);
    std::vector<double> measured;
    double gain = 0.0;
    for (const std::size_t t : touched) {
      measured.push_back(tensor_objective(problem_, gather_, t));
      gain += measured.back() - tensor_objectives_[t];
    }
    if (!(gain > options_.tolerance * std::abs(result_.objective))) {
      gather_.set(permutation, result_.permutations[p]);
      return;
    }
    result_.permutations[p] = proposal_.columns;
    for (std::size_t i = 0; i < touched.size(); ++i) tensor_objectives_[touched[i]] = measured[i];
    sum_objective();
    ++result_.stats.accepted_steps;
    for (const std::int32_t q : neighbours_.of(permutation)) pending_[static_cast<std::size_t>(q)] = true;
  }

  void measure_all_tensors() {
    const Stopwatch watch(result_.stats.objective_seconds);
    for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
      tensor_objectives_.push_back(tensor_objective(problem_, gather_, t));
    }
    sum_objective();
  }

  void sum_objective() {
    result_.objective = 0.0;
    for (const double part : tensor_objectives_) result_.objective += part;
  }

  const Problem& problem_;
  const DescentOptions& options_;
  DescentResult& result_;
  Interrupt& interrupt_;
  Gather gather_;
  Neighbours neighbours_;
  Similarity<T> similarity_;
  AssignmentSolution proposal_;
  std::vector<T> matrix_;
  std::vector<double> tensor_objectives_;
  std::vector<bool>
      pending_;  // something that the permutation's similarity depends on has moved since its visit
};

}  // namespace

template <class T>
Status coordinate_descent(const Problem& problem, Gemm<T> gemm, const DescentOptions& options,
                          DescentResult& result, Interrupt& interrupt) {
  try {
    return Descent<T>(problem, gemm, options, result, interrupt).run();
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

template Status coordinate_descent<float>(const Problem&, Gemm<float>, const DescentOptions&, DescentResult&,
                                          Interrupt&);
template Status coordinate_descent<double>(const Problem&, Gemm<double>, const DescentOptions&,
                                           DescentResult&, Interrupt&);

}  // namespace rebasin
