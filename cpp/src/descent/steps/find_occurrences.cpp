#include "descent/steps/find_occurrences.hpp"

#include <algorithm>

#include "cost/slots.hpp"

namespace rebasin {
namespace {

Occurrence occurrence_at(const Problem& problem, std::size_t tensor, const Move& move,
                         const std::vector<Permutation>& current, Path& path, std::int32_t permutation) {
  const std::vector<std::int32_t>& parents = problem.permutations[permutation].parents;
  std::vector<std::int32_t> held;
  std::int64_t copies = move.copies;
  for (const std::int32_t other : move.permutations) {
    if (other == permutation || std::find(parents.begin(), parents.end(), other) != parents.end()) continue;
    held.push_back(other);
    copies *= problem.permutations[other].size;
  }

  Occurrence result{tensor, move.axis, copies, {}, {}};
  for (std::int64_t i = 0; i < problem.permutations[permutation].size; ++i) {
    for_each_combination(problem, held, path.holder, [&] {
      std::int64_t a = 0, b = 0;
      for (const std::int32_t other : move.permutations) {
        std::int64_t a_unit = path.slot[other], b_unit = path.unit[other];
        if (other == permutation) {
          a_unit = b_unit = i;
        } else if (std::find(held.begin(), held.end(), other) != held.end()) {
          a_unit = path.holder[other];
          b_unit = current[other][copy_offset(problem, other, path.holder) + path.holder[other]];
        }
        a = a * problem.permutations[other].size + a_unit;
        b = b * problem.permutations[other].size + b_unit;
      }
      for (std::int64_t r = 0; r < move.copies; ++r) {
        result.a_positions.push_back(move.positions[a * move.copies + r]);
        result.b_positions.push_back(move.positions[b * move.copies + r]);
      }
    });
  }
  return result;
}

}  // namespace

std::vector<Occurrence> occurrences_alone(const Problem& problem, std::int32_t permutation) {
  std::vector<Occurrence> found;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    for (const Move& move : problem.tensors[t].moves) {
      if (move.permutations.front() != permutation) continue;
      found.push_back({t, move.axis, move.copies, move.positions, move.positions});
    }
  }
  return found;
}

std::vector<Occurrence> occurrences_of_leaf(const Problem& problem, const Nesting& nesting, std::int32_t root,
                                            const FixedAxes* fixed, std::int32_t leaf) {
  std::vector<Occurrence> found;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    for (const Move& move : problem.tensors[t].moves) {
      if (move.permutations.back() != leaf) continue;
      if (fixed != nullptr && !fixed->around(t, move, nesting, root)) continue;
      found.push_back({t, move.axis, move.copies, move.positions, move.positions});
    }
  }
  return found;
}

std::vector<Occurrence> occurrences_within(const Problem& problem, const Nesting& nesting, std::int32_t root,
                                           const FixedAxes* fixed, const std::vector<Permutation>& current,
                                           Path& path, std::int32_t permutation) {
  std::vector<Occurrence> found;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    for (const Move& move : problem.tensors[t].moves) {
      // The entries of a move count for the innermost member of the stepping family, and only there.
      std::int32_t counted_for = -1;
      for (const std::int32_t member : move.permutations) {
        if (nesting.in_family(root, member)) counted_for = member;
      }
      if (counted_for != permutation) continue;
      if (fixed != nullptr && !fixed->around(t, move, nesting, root)) continue;
      found.push_back(occurrence_at(problem, t, move, current, path, permutation));
    }
  }
  return found;
}

}  // namespace rebasin
