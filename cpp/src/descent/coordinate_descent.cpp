#include <cmath>
#include <new>

#include "cost/gather.hpp"
#include "cost/objective.hpp"
#include "cost/similarity.hpp"
#include "descent/neighbours.hpp"
#include "descent/nested_assignment.hpp"
#include "descent/nesting.hpp"
#include "rebasin/descent.hpp"
#include "stopwatch.hpp"

namespace rebasin {
namespace {

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
        nesting_(problem),
        neighbours_(problem, nesting_),
        similarity_(problem, gemm),
        nested_(problem, nesting_, similarity_, options.bytes_to_keep),
        proposal_(result.permutations),
        pending_(problem.permutations.size(), true) {}

  Status run() {
    const Status measured = measure_all_tensors();
    if (measured != Status::ok) return measured;
    result_.first_objective = result_.objective;
    for (std::size_t sweep = 0; sweep < options_.orders.size() && !result_.converged; ++sweep) {
      const std::int64_t accepted_before = result_.stats.accepted_steps;
      const Status status = sweep_once(static_cast<std::int64_t>(sweep), options_.orders[sweep]);
      take_statistics();
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
    const Status status = nested_.propose(permutation, gather_, result_.permutations, proposal_, interrupt_);
    if (status != Status::ok) return status;
    // Cleared before the step: a permutation that is its own neighbour is pending again once it has moved.
    pending_[p] = false;
    return proposal_ != result_.permutations ? take_if_better(permutation) : Status::ok;
  }

  Status take_if_better(std::int32_t permutation) {
    const Stopwatch watch(result_.stats.objective_seconds);
    const std::vector<std::size_t>& touched = neighbours_.tensors_of(permutation);
    gather_.update(touched, proposal_);
    std::vector<double> measured;
    double gain = 0.0;
    for (const std::size_t t : touched) {
      if (interrupt_.requested()) return Status::interrupted;
      measured.push_back(tensor_objective(problem_, gather_, t));
      gain += measured.back() - tensor_objectives_[t];
    }
    const bool better = gain > options_.tolerance * std::abs(result_.objective);
    if (!better && !options_.overwrite) {
      gather_.update(touched, result_.permutations);
      for_family(permutation, [&](std::size_t p) { proposal_[p] = result_.permutations[p]; });
      return Status::ok;
    }
    for_family(permutation, [&](std::size_t p) { result_.permutations[p] = proposal_[p]; });
    for (std::size_t i = 0; i < touched.size(); ++i) tensor_objectives_[touched[i]] = measured[i];
    sum_objective();
    if (better) ++result_.stats.accepted_steps;
    for (const std::int32_t q : neighbours_.of(permutation)) pending_[static_cast<std::size_t>(q)] = true;
    return Status::ok;
  }

  template <class Body>
  void for_family(std::int32_t permutation, Body&& body) {
    for (const std::int32_t member : nesting_.family(permutation)) body(static_cast<std::size_t>(member));
  }

  Status measure_all_tensors() {
    const Stopwatch watch(result_.stats.objective_seconds);
    for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
      if (interrupt_.requested()) return Status::interrupted;
      tensor_objectives_.push_back(tensor_objective(problem_, gather_, t));
    }
    sum_objective();
    return Status::ok;
  }

  void sum_objective() {
    result_.objective = 0.0;
    for (const double part : tensor_objectives_) result_.objective += part;
  }

  void take_statistics() {
    result_.stats.product_flop = similarity_.flop();
    result_.stats.assignments = nested_.assignments();
    result_.stats.product_seconds = nested_.product_seconds();
    result_.stats.assignment_seconds = nested_.assignment_seconds();
  }

  const Problem& problem_;
  const DescentOptions& options_;
  DescentResult& result_;
  Interrupt& interrupt_;
  Gather gather_;
  Nesting nesting_;
  Neighbours neighbours_;
  Similarity<T> similarity_;
  NestedAssignment<T> nested_;
  std::vector<Permutation> proposal_;  // equals the accepted permutations between visits
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
