// The best step of a permutation together with all that stand within it, everything else held where it is.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cost/gather.hpp"
#include "cost/similarity.hpp"
#include "descent/find_occurrences.hpp"
#include "descent/fixed_axes.hpp"
#include "descent/kept_similarity.hpp"
#include "descent/nesting.hpp"
#include "rebasin/assignment.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// What bounds a step. Where `fixed` is given, only entries whose other axes it holds count; `forbidden` slots
// of a permutation that stands alone may not keep their unit.
struct Reach {
  const FixedAxes* fixed = nullptr;
  std::vector<std::int64_t> forbidden = {};
};

// The value of filling a slot with a unit is their similarity plus, for each permutation that stands directly
// within, the optimum of its own assignment between that slot and that unit. For a permutation that stands
// alone this is one linear assignment. A permutation within others steps in each of its copies, the outer
// ones held.
//
// Exact where every tensor axis nests permutations in one chain; where two within one parent share an axis,
// the entries are counted for the last of them, the other held. Not thread-safe.
template <class T>
class NestedAssignment {
 public:
  // Similarities of permutations that stand alone are kept between visits as far as `bytes_to_keep` go.
  NestedAssignment(const Problem& problem, const Nesting& nesting, Similarity<T>& similarity,
                   double bytes_to_keep);

  // Writes the step of `root`'s family into `proposal`, which holds `current` when called.
  Status propose(std::int32_t root, const Gather& gather, const std::vector<Permutation>& current,
                 std::vector<Permutation>& proposal, const Reach& reach, Interrupt& interrupt);

  // Stands in for a propose() whose result is known from an earlier descent: `score` was its
  // fixed_axes_score().
  void recall(std::int32_t root, const Gather& gather, const FixedAxes* fixed, double score);

  // Floating-point operations of the products that propose() would spend on a permutation that is out of
  // date; 0 where a kept similarity is up to date after all.
  double pending_flop(std::int32_t root, const Gather& gather) const;

  // Whether a step of the permutation is one assignment.
  bool stands_alone(std::int32_t permutation) const {
    return kept_[static_cast<std::size_t>(permutation)] != nullptr;
  }

  // How far the last step on fixed axes stands out from a random one (descent/standard_score.hpp); 0 where
  // the permutation does not stand alone.
  double fixed_axes_score() const { return fixed_axes_score_; }

  std::int64_t assignments() const { return assignments_; }
  double product_seconds() const { return product_seconds_; }
  double assignment_seconds() const { return assignment_seconds_; }

 private:
  struct Step {
    std::int32_t root;
    const Gather& gather;
    const std::vector<Permutation>& current;
    std::vector<Permutation>& proposal;
    const FixedAxes* fixed;
    const std::vector<std::int64_t>& forbidden;
    Interrupt& interrupt;
  };

  bool is_alone(std::int32_t permutation) const;
  Status solve_kept(const Step& step, std::int32_t permutation);
  Status assign(const T* matrix, std::int64_t n, const WarmStart* start, AssignmentSolution& solution,
                Interrupt& interrupt);
  Status solve(const Step& step, std::int32_t permutation, bool keep, double& value);
  Status solve_within(const Step& step, std::int32_t child, bool keep, double& value);
  void hold(const Step& step, const std::vector<std::int32_t>& permutations);
  Status add_values_within(const Step& step, std::int32_t permutation,
                           const std::vector<std::int64_t>& holders, std::vector<T>& matrix);
  Status keep_step(const Step& step, std::int32_t permutation, const std::vector<std::int64_t>& holders,
                   const std::vector<std::int64_t>& units);
  std::vector<std::int64_t> holders_of_units(const Step& step, std::int32_t permutation) const;
  Status compare_leaves(const Step& step);
  bool nests_alike(std::int32_t root) const;
  Status compare(const Step& step, std::int32_t permutation, std::vector<T>& matrix);

  const Problem& problem_;
  const Nesting& nesting_;
  Similarity<T>& similarity_;
  Path path_;
  std::vector<std::unique_ptr<KeptSimilarity<T>>> kept_;  // by permutation; null unless it stands alone
  // By innermost permutation of the family that steps: all its slots, of all copies, and all its units.
  std::unordered_map<std::int32_t, std::vector<T>> leaves_;
  double fixed_axes_score_ = 0.0;
  std::int64_t assignments_ = 0;
  double product_seconds_ = 0.0;
  double assignment_seconds_ = 0.0;
};

extern template class NestedAssignment<float>;
extern template class NestedAssignment<double>;

}  // namespace rebasin
