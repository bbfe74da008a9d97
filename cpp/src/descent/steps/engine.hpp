// The steps of a descent: one visit of a permutation. The order of visits is the policy's (descent/policy/).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "cost/gather.hpp"
#include "descent/backend.hpp"
#include "descent/steps/fixed_axes.hpp"
#include "descent/steps/neighbours.hpp"
#include "descent/steps/nested_assignment.hpp"
#include "descent/steps/nesting.hpp"
#include "descent/steps/recorded_steps.hpp"
#include "descent/steps/single_assignment.hpp"
#include "rebasin/descent.hpp"

namespace rebasin {

// Tracks which similarities are out of date; result.permutations are the current permutations, and
// result.objective is theirs after measure() and after every visit().
class Engine {
 public:
  Engine(const Problem& problem, Backend& backend, const DescentOptions& options, DescentResult& result);

  // Sums the objective over all entries. invalid_entry: an entry, or the sum, is not finite.
  Status measure();

  // Proposes the steps of the longest beginning of the upcoming visits that do not depend on each other, in
  // one batch of assignments; without effect where the backend gains nothing by that. `fixed` as of the
  // visits.
  Status prepare(std::span<const std::int32_t> upcoming, const FixedAxes* fixed);

  // Brings the permutation's similarity up to date and takes its best step if the objective rises by more
  // than the tolerance: a share of its magnitude, or of the most that permutations can change it by if that
  // is less. A permutation with nothing out of date is skipped.
  Status visit(std::int32_t permutation);

  // Takes the step of `root`'s family that is best on the fixed axes alone. result.objective follows where
  // `measured`; otherwise it is not kept.
  Status match_on_fixed_axes(std::int32_t root, const FixedAxes& fixed, bool measured);

  // Takes the best step of a permutation that stands alone while the `forbidden` slots may not keep their
  // unit, at any change of the objective.
  Status perturb(std::int32_t permutation, const std::vector<std::int64_t>& forbidden);
  bool can_be_perturbed(std::int32_t permutation) const { return single_.stands_alone(permutation); }

  // How far the last step on fixed axes stands out from a random one; 0 for a permutation that does not stand
  // alone, or was prepared.
  double fixed_axes_score() const { return fixed_axes_score_; }

  // Goes back to other permutations; result.objective is not kept. `at_rest`: no step of a single permutation
  // raises the objective there.
  void restore(const std::vector<Permutation>& permutations, bool at_rest);

  // Floating-point operations of the products that a visit would start with; 0: nothing is out of date.
  double pending_flop(std::int32_t permutation);

  // Of all products so far, and of those that all permutations would start with.
  double flop_done() const { return backend_.counters().flop; }
  double flop_ahead();

  const Problem& problem() const { return problem_; }
  Backend& backend() { return backend_; }
  const Nesting& nesting() const { return nesting_; }
  void take_statistics();

 private:
  struct Limits {
    const FixedAxes* fixed = nullptr;  // only entries whose other axes it holds count
    std::vector<Match> forbidden = {};
  };

  Status propose(std::int32_t permutation, const Limits& limits);
  Status propose_alone(std::int32_t permutation, const Limits& limits);
  Status take(std::int32_t permutation);
  bool recall(std::int32_t permutation, const FixedAxes* fixed);
  Status take_if_better(std::int32_t permutation);
  Status gain_of_proposal(std::int32_t permutation, double& gain);
  Status is_better(double gain, bool& better);
  void move_family(std::int32_t permutation);

  template <class Body>
  void for_family(std::int32_t permutation, Body&& body) const {
    for (const std::int32_t member : nesting_.family(permutation)) body(member);
  }

  const Problem& problem_;
  Backend& backend_;
  const DescentOptions& options_;
  DescentResult& result_;
  Gather gather_;
  Nesting nesting_;
  Neighbours neighbours_;
  SingleAssignment single_;
  NestedAssignment nested_;
  std::map<std::int32_t, Permutation> prepared_;
  std::vector<Permutation> proposal_;  // equals the accepted permutations between visits
  double fixed_axes_score_ = 0.0;
  // Something that the permutation's similarity depends on has moved since its visit.
  std::vector<bool> pending_;
  std::vector<double> pending_flop_;  // negative: to be counted
  // A visit is due even where nothing else has moved since: the last step was taken back, or bounded.
  std::vector<bool> due_;
  double spread_ = -1.0;  // by how much permutations can change the objective; negative: to be measured
  RecordedSteps recorded_;
};

}  // namespace rebasin
