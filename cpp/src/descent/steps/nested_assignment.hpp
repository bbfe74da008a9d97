// The best step of a permutation together with all that stand within it, everything else held where it is.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "cost/gather.hpp"
#include "descent/backend.hpp"
#include "descent/steps/find_occurrences.hpp"
#include "descent/steps/fixed_axes.hpp"
#include "descent/steps/nesting.hpp"
#include "descent/steps/single_assignment.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// The value of filling a slot with a unit is their similarity plus, for each permutation that stands directly
// within, the optimum of its own assignment between that slot and that unit. A permutation within others
// steps in each of its copies, the outer ones held.
//
// Exact where every tensor axis nests permutations in one chain; where two within one parent share an axis,
// the entries are counted for the last of them, the other held. Not thread-safe.
class NestedAssignment {
 public:
  NestedAssignment(const Problem& problem, const Nesting& nesting, Backend& backend, DescentStats& stats);

  // Writes the step of `root`'s family into `proposal`, which holds `current` when called. Where `fixed` is
  // given, only entries whose other axes it holds count.
  Status propose(std::int32_t root, const Gather& gather, const std::vector<Permutation>& current,
                 std::vector<Permutation>& proposal, const FixedAxes* fixed);

  // Floating-point operations of the products that propose() would spend on a permutation out of date.
  double pending_flop(std::int32_t root) const;

 private:
  struct Step {
    std::int32_t root;
    const Gather& gather;
    const std::vector<Permutation>& current;
    std::vector<Permutation>& proposal;
    const FixedAxes* fixed;
  };
  // Assignments of an innermost permutation within slots and units of those around it, by
  // slot * copies + unit; -1 where there is none.
  struct Leaf {
    std::int64_t copies = 1;
    std::vector<std::int64_t> place;
    BlockAssignments assignments;
  };

  Status solve(const Step& step, std::int32_t permutation, bool keep, double& value);
  Status solve_within(const Step& step, std::int32_t child, bool keep, double& value);
  Status assign_by_similarity(const Step& step, std::int32_t permutation,
                              const std::vector<std::int64_t>& holders, Permutation& units, double& value);
  Status assign_leaves(const Step& step);
  std::vector<Match> blocks_of(const Step& step, std::int32_t leaf);
  void hold(const Step& step, const std::vector<std::int32_t>& permutations);
  Status values_within(const Step& step, std::int32_t permutation, std::int32_t child,
                       const std::vector<std::int64_t>& holders, std::vector<double>& values);
  Status keep_step(const Step& step, std::int32_t permutation, const std::vector<std::int64_t>& holders,
                   const std::vector<std::int64_t>& units);
  std::vector<std::int64_t> holders_of_units(const Step& step, std::int32_t permutation) const;

  const Problem& problem_;
  const Nesting& nesting_;
  Backend& backend_;
  DescentStats& stats_;
  Path path_;
  std::unordered_map<std::int32_t, Leaf> leaves_;  // of the family that steps, by permutation
};

}  // namespace rebasin
