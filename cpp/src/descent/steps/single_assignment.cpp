#include "descent/steps/single_assignment.hpp"

#include <algorithm>

#include "descent/steps/find_occurrences.hpp"
#include "descent/steps/standard_score.hpp"
#include "stopwatch.hpp"

namespace rebasin {
namespace {

bool is_alone(const Problem& problem, std::int32_t permutation) {
  if (!problem.permutations[permutation].parents.empty()) return false;
  for (const Tensor& tensor : problem.tensors) {
    for (const Move& move : tensor.moves) {
      const auto& names = move.permutations;
      if (names.size() > 1 && std::find(names.begin(), names.end(), permutation) != names.end()) return false;
    }
  }
  return true;
}

auto counted_on(const FixedAxes* fixed) {
  return
      [fixed](const Occurrence& each) { return fixed == nullptr || fixed->around(each.tensor, each.axis); };
}

}  // namespace

SingleAssignment::SingleAssignment(const Problem& problem, Backend& backend, double bytes_to_keep,
                                   DescentStats& stats)
    : backend_(backend), stats_(stats), kept_(problem.permutations.size()) {
  for (std::size_t p = 0; p < problem.permutations.size(); ++p) {
    const auto self = static_cast<std::int32_t>(p);
    if (!is_alone(problem, self)) continue;
    const std::int64_t n = problem.permutations[p].size;
    const double bytes = static_cast<double>(n) * static_cast<double>(n) * backend.entry_bytes();
    const bool fits = bytes <= bytes_to_keep;
    kept_[p] = std::make_unique<KeptSimilarity>(n, occurrences_alone(problem, self), fits);
    if (fits) bytes_to_keep -= bytes;
  }
}

Status SingleAssignment::propose(const std::vector<std::int32_t>& permutations, const Gather& gather,
                                 const FixedAxes* fixed, const std::vector<Match>& forbidden,
                                 std::vector<Permutation>& found) {
  {
    const Stopwatch watch(stats_.product_seconds);
    for (const std::int32_t permutation : permutations) {
      const Status status = kept(permutation)->refresh(permutation, backend_, gather, counted_on(fixed));
      if (status != Status::ok) return status;
    }
  }
  const Stopwatch watch(stats_.assignment_seconds);
  stats_.assignments += static_cast<std::int64_t>(permutations.size());
  return backend_.assign(permutations, forbidden, found);
}

Status SingleAssignment::score(std::int32_t permutation, const Permutation& units, double& score) {
  const auto n = static_cast<std::int64_t>(units.size());
  std::vector<double> sample;
  const Status status = backend_.rows(permutation, sampled_rows(n), sample);
  if (status == Status::ok) score = standard_score(sample, n, units);
  return status;
}

void SingleAssignment::recall(std::int32_t permutation, const Gather& gather, const FixedAxes* fixed) {
  kept(permutation)->recall(gather, counted_on(fixed));
}

}  // namespace rebasin
