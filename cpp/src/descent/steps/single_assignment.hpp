// The best step of a permutation that stands alone: one assignment, by a similarity kept between visits.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cost/gather.hpp"
#include "descent/backend.hpp"
#include "descent/steps/fixed_axes.hpp"
#include "descent/steps/kept_similarity.hpp"
#include "rebasin/descent.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// Where `fixed` is given, only entries whose other axes it holds count. Not thread-safe.
class SingleAssignment {
 public:
  // Similarities are kept between visits as far as `bytes_to_keep` go.
  SingleAssignment(const Problem& problem, Backend& backend, double bytes_to_keep, DescentStats& stats);

  // Whether a step of the permutation is one assignment: it stands within none, and shares no move.
  bool stands_alone(std::int32_t permutation) const { return kept(permutation) != nullptr; }

  // Whether its similarity stays with the backend between visits.
  bool is_kept(std::int32_t permutation) const {
    return stands_alone(permutation) && kept(permutation)->keeps_matrix();
  }

  // The steps of permutations that stand alone and do not depend on each other.
  Status propose(const std::vector<std::int32_t>& permutations, const Gather& gather, const FixedAxes* fixed,
                 const std::vector<Match>& forbidden, std::vector<Permutation>& found);

  // How far a step on fixed axes, with the similarity of its visit, stands out from a random one
  // (descent/steps/standard_score.hpp).
  Status score(std::int32_t permutation, const Permutation& units, double& score);

  // Frees the similarities that are not kept until the next visit.
  void end_visit(std::int32_t permutation) { kept(permutation)->end_visit(permutation, backend_); }

  // Stands in for a propose() whose result is known from an earlier descent.
  void recall(std::int32_t permutation, const Gather& gather, const FixedAxes* fixed);

  // Floating-point operations of the products that propose() would start with; 0: none is out of date.
  double pending_flop(std::int32_t permutation, const Gather& gather) const {
    return kept(permutation)->pending_flop(gather);
  }

 private:
  KeptSimilarity* kept(std::int32_t permutation) const { return kept_[permutation].get(); }

  Backend& backend_;
  DescentStats& stats_;
  std::vector<std::unique_ptr<KeptSimilarity>> kept_;  // by permutation; null unless it stands alone
};

}  // namespace rebasin
