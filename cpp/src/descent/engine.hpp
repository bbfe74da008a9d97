// The steps of a descent: what a visit of one permutation does. Which to visit next is decided elsewhere.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/gather.hpp"
#include "cost/similarity.hpp"
#include "descent/fixed_axes.hpp"
#include "descent/neighbours.hpp"
#include "descent/nested_assignment.hpp"
#include "descent/nesting.hpp"
#include "rebasin/descent.hpp"

namespace rebasin {

// Holds similarities, duals and what is out of date; result.permutations are the permutations as they stand,
// and result.objective is theirs after measure() and after every visit().
template <class T>
class Engine {
 public:
  Engine(const Problem& problem, Gemm<T> gemm, const DescentOptions& options, DescentResult& result,
         Interrupt& interrupt);

  // Sums the objective over all entries. invalid_entry: an entry, or the sum, is not finite.
  Status measure();

  // Brings the permutation's similarity up to date and takes its best step if the objective rises by more
  // than the tolerance: a share of its magnitude, or of what permutations can change if that is less. A
  // permutation that has seen all that moved is skipped.
  Status visit(std::int32_t permutation);

  // Takes the step of `root`'s family that is best on the fixed axes alone. result.objective follows where
  // `measured`; otherwise it is not kept.
  Status match_on_fixed_axes(std::int32_t root, const FixedAxes& fixed, bool measured);

  // Takes the best step of a permutation that stands alone while the `forbidden` slots may not keep their
  // unit, at any change of the objective.
  Status perturb(std::int32_t permutation, std::vector<std::int64_t> forbidden);
  bool can_be_perturbed(std::int32_t permutation) const { return nested_.stands_alone(permutation); }

  // How far the last family's, matched on fixed axes, step stands out from a random one.
  double fixed_axes_score() const { return nested_.fixed_axes_score(); }

  // Goes back to other permutations; result.objective is not kept. `at_rest`: no step of a single permutation
  // raises the objective there.
  void restore(const std::vector<Permutation>& permutations, bool at_rest);

  // Floating-point operations of the products that a visit would start with; 0: it has seen all that moved.
  double pending_flop(std::int32_t permutation);

  // Of all products so far, and of those that all permutations would start with.
  double flop_done() const { return similarity_.counters().flop; }
  double flop_ahead();

  const Problem& problem() const { return problem_; }
  const Gather& gather() const { return gather_; }
  const Nesting& nesting() const { return nesting_; }
  DescentResult& result() { return result_; }
  void take_statistics();

 private:
  Status propose(std::int32_t permutation, const Reach& reach);
  Status take(std::int32_t permutation);
  bool recall(std::int32_t permutation, const FixedAxes* fixed);
  Status take_if_better(std::int32_t permutation);
  Status gain_of_proposal(std::int32_t permutation, double& gain);
  bool is_better(double gain);
  void move_family(std::int32_t permutation);
  std::vector<OffsetTables> tables_of(const std::vector<std::size_t>& tensors) const;

  template <class Body>
  void for_family(std::int32_t permutation, Body&& body) const {
    for (const std::int32_t member : nesting_.family(permutation)) body(static_cast<std::size_t>(member));
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
  // Something that the permutation's similarity depends on has moved since its visit.
  std::vector<bool> pending_;
  std::vector<double> pending_flop_;  // negative: to be counted
  // A visit is due even where nothing else has moved since: the last step was taken back, or bounded.
  std::vector<bool> due_;
  double spread_ = -1.0;   // by how much permutations can change the objective; negative: to be measured
  std::size_t steps_ = 0;  // proposals so far, while they are recalled
};

extern template class Engine<float>;
extern template class Engine<double>;

}  // namespace rebasin
