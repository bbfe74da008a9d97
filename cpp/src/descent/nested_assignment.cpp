#include "descent/nested_assignment.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>

#include "cost/slots.hpp"
#include "descent/perturbation.hpp"
#include "descent/standard_score.hpp"
#include "stopwatch.hpp"

namespace rebasin {
namespace {

// Without a way out in the middle, so that the compiler may use vectors.
template <class T>
bool all_finite(const T* values, std::int64_t count) {
  using Bits = std::conditional_t<std::is_same_v<T, float>, std::int32_t, std::int64_t>;
  constexpr Bits infinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<Bits>(values[i]) & std::numeric_limits<Bits>::max());
  }
  return largest < infinity;
}

}  // namespace

template <class T>
NestedAssignment<T>::NestedAssignment(const Problem& problem, const Nesting& nesting,
                                      Similarity<T>& similarity, double bytes_to_keep)
    : problem_(problem),
      nesting_(nesting),
      similarity_(similarity),
      path_(problem.permutations.size()),
      kept_(problem.permutations.size()) {
  for (std::size_t p = 0; p < problem.permutations.size(); ++p) {
    const auto self = static_cast<std::int32_t>(p);
    if (!is_alone(self)) continue;
    const std::int64_t n = problem.permutations[p].size;
    const double bytes = static_cast<double>(n) * static_cast<double>(n) * sizeof(T);
    const bool fits = bytes <= bytes_to_keep;
    kept_[p] = std::make_unique<KeptSimilarity<T>>(n, occurrences_alone(problem, self), fits);
    if (fits) bytes_to_keep -= bytes;
  }
}

template <class T>
bool NestedAssignment<T>::is_alone(std::int32_t permutation) const {
  if (!problem_.permutations[static_cast<std::size_t>(permutation)].parents.empty()) return false;
  for (const Tensor& tensor : problem_.tensors) {
    for (const Move& move : tensor.moves) {
      const auto& names = move.permutations;
      if (names.size() > 1 && std::find(names.begin(), names.end(), permutation) != names.end()) return false;
    }
  }
  return true;
}

template <class T>
Status NestedAssignment<T>::propose(std::int32_t root, const Gather& gather,
                                    const std::vector<Permutation>& current,
                                    std::vector<Permutation>& proposal, const Reach& reach,
                                    Interrupt& interrupt) {
  const Step step{root, gather, current, proposal, reach.fixed, reach.forbidden, interrupt};
  fixed_axes_score_ = 0.0;
  if (stands_alone(root)) return solve_kept(step, root);
  const std::vector<std::int32_t>& parents = problem_.permutations[static_cast<std::size_t>(root)].parents;
  Status status = parents.empty() ? compare_leaves(step) : Status::ok;
  for_each_combination(problem_, parents, path_.slot, [&] {
    if (status != Status::ok) return;
    hold(step, parents);
    double value = 0.0;
    status = solve(step, root, true, value);
  });
  leaves_.clear();
  return status;
}

// One product for every pair of slots and units within the family, where every axis that moves with it nests
// its members alike: the similarities of slot and unit are blocks of that. Leaves nothing behind where axes
// differ.
template <class T>
Status NestedAssignment<T>::compare_leaves(const Step& step) {
  if (nesting_.family(step.root).size() == 1 || !nests_alike(step.root)) return Status::ok;
  const Stopwatch watch(product_seconds_);
  for (const std::int32_t member : nesting_.family(step.root)) {
    if (!nesting_.is_leaf(member)) continue;
    const auto p = static_cast<std::size_t>(member);
    std::int64_t units = problem_.permutations[p].size;
    for (const std::int32_t parent : problem_.permutations[p].parents) {
      units *= problem_.permutations[static_cast<std::size_t>(parent)].size;
    }
    std::vector<T>& matrix = leaves_[member];
    matrix.resize(static_cast<std::size_t>(units * units));
    const Status status =
        similarity_.compute(units, occurrences_of_leaf(problem_, nesting_, step.root, step.fixed, member),
                            step.gather, matrix.data(), step.interrupt);
    if (status != Status::ok) return status;
  }
  return Status::ok;
}

template <class T>
bool NestedAssignment<T>::nests_alike(std::int32_t root) const {
  for (const Tensor& tensor : problem_.tensors) {
    for (const Move& move : tensor.moves) {
      const bool touched = std::any_of(move.permutations.begin(), move.permutations.end(),
                                       [&](std::int32_t member) { return nesting_.in_family(root, member); });
      if (!touched) continue;
      const std::int32_t last = move.permutations.back();
      std::vector<std::int32_t> path = problem_.permutations[static_cast<std::size_t>(last)].parents;
      path.push_back(last);
      if (path != move.permutations || !nesting_.is_leaf(last)) return false;
    }
  }
  return true;
}

// The similarity of `permutation`'s units within the slots and units of those around it.
template <class T>
Status NestedAssignment<T>::compare(const Step& step, std::int32_t permutation, std::vector<T>& matrix) {
  const auto p = static_cast<std::size_t>(permutation);
  const std::int64_t n = problem_.permutations[p].size;
  matrix.assign(static_cast<std::size_t>(n * n), T{0});
  if (leaves_.empty()) {
    const Stopwatch watch(product_seconds_);
    return similarity_.compute(
        n, occurrences_within(problem_, nesting_, step.root, step.fixed, step.current, path_, permutation),
        step.gather, matrix.data(), step.interrupt);
  }
  const auto leaf = leaves_.find(permutation);
  if (leaf == leaves_.end()) return Status::ok;  // the entries count for those within
  std::int64_t slot = 0, unit = 0, copies = 1;
  for (const std::int32_t parent : problem_.permutations[p].parents) {
    const auto q = static_cast<std::size_t>(parent);
    slot = slot * problem_.permutations[q].size + path_.slot[q];
    unit = unit * problem_.permutations[q].size + path_.unit[q];
    copies *= problem_.permutations[q].size;
  }
  const T* block = leaf->second.data() + slot * n * copies * n + unit * n;
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(block + i * copies * n, n, matrix.data() + i * n);
  return Status::ok;
}

template <class T>
void NestedAssignment<T>::recall(std::int32_t root, const Gather& gather, const FixedAxes* fixed,
                                 double score) {
  fixed_axes_score_ = score;
  if (kept_[static_cast<std::size_t>(root)] == nullptr) return;
  kept_[static_cast<std::size_t>(root)]->recall(gather, [&](const Occurrence& each) {
    return fixed == nullptr || fixed->around(each.tensor, each.axis);
  });
}

template <class T>
Status NestedAssignment<T>::solve_kept(const Step& step, std::int32_t permutation) {
  const auto p = static_cast<std::size_t>(permutation);
  const std::int64_t n = problem_.permutations[p].size;
  KeptSimilarity<T>& kept = *kept_[p];
  {
    const Stopwatch watch(product_seconds_);
    const Status status = kept.refresh(step.gather, similarity_, step.interrupt, [&](const Occurrence& each) {
      return step.fixed == nullptr || step.fixed->around(each.tensor, each.axis);
    });
    if (status != Status::ok) return status;
  }
  AssignmentSolution solution;
  {
    const ForbiddenMatches<T> forbidden(kept.matrix(), n, step.forbidden, step.current[p]);
    const Status status = assign(kept.matrix(), n, kept.duals(), solution, step.interrupt);
    if (status != Status::ok) return status;
  }
  step.proposal[p] = solution.columns;
  if (step.fixed != nullptr) fixed_axes_score_ = standard_score(kept.matrix(), n, solution.columns);
  kept.keep(solution);
  return Status::ok;
}

template <class T>
double NestedAssignment<T>::pending_flop(std::int32_t root, const Gather& gather) const {
  if (kept_[static_cast<std::size_t>(root)] != nullptr)
    return kept_[static_cast<std::size_t>(root)]->pending_flop(gather);
  double flop = 1.0;  // what moves nothing is visited all the same
  for (const Tensor& tensor : problem_.tensors) {
    double entries = 1.0;
    for (const std::int64_t length : tensor.shape) entries *= static_cast<double>(length);
    for (const Move& move : tensor.moves) {
      for (const std::int32_t member : move.permutations) {
        if (!nesting_.in_family(root, member)) continue;
        flop +=
            2.0 * entries * static_cast<double>(problem_.permutations[static_cast<std::size_t>(member)].size);
      }
    }
  }
  return flop;
}

template <class T>
Status NestedAssignment<T>::assign(const T* matrix, std::int64_t n, const WarmStart* start,
                                   AssignmentSolution& solution, Interrupt& interrupt) {
  const Stopwatch watch(assignment_seconds_);
  ++assignments_;
  // An overflow to -inf would pass for a forbidden pair.
  if (!all_finite(matrix, n * n)) return Status::invalid_entry;
  return solve_assignment(CostView<T>{matrix, n, n, n, 1, true}, solution, interrupt, {.warm_start = start});
}

template <class T>
Status NestedAssignment<T>::solve(const Step& step, std::int32_t permutation, bool keep, double& value) {
  const std::int64_t n = problem_.permutations[static_cast<std::size_t>(permutation)].size;
  std::vector<T> matrix;
  const Status compared = compare(step, permutation, matrix);
  if (compared != Status::ok) return compared;
  const std::vector<std::int64_t> holders = holders_of_units(step, permutation);
  if (!nesting_.children(step.root, permutation).empty()) {
    const Status status = add_values_within(step, permutation, holders, matrix);
    if (status != Status::ok) return status;
  }
  AssignmentSolution solution;
  const Status status = assign(matrix.data(), n, nullptr, solution, step.interrupt);
  if (status != Status::ok) return status;
  value = solution.objective;
  return keep ? keep_step(step, permutation, holders, solution.columns) : Status::ok;
}

// Sums over the copies of `child` within parents that do not step: they are held.
template <class T>
Status NestedAssignment<T>::solve_within(const Step& step, std::int32_t child, bool keep, double& value) {
  const std::vector<std::int32_t> held = nesting_.parents_outside(problem_, step.root, child);
  Status status = Status::ok;
  for_each_combination(problem_, held, path_.slot, [&] {
    if (status != Status::ok) return;
    hold(step, held);
    double one = 0.0;
    status = solve(step, child, keep, one);
    value += one;
  });
  return status;
}

// The units and holders of permutations that stay, in the slots as they are set.
template <class T>
void NestedAssignment<T>::hold(const Step& step, const std::vector<std::int32_t>& permutations) {
  for (const std::int32_t held : permutations) {
    const auto p = static_cast<std::size_t>(held);
    path_.unit[p] =
        step.current[p][static_cast<std::size_t>(copy_offset(problem_, held, path_.slot) + path_.slot[p])];
    path_.holder[p] = path_.slot[p];
  }
}

template <class T>
Status NestedAssignment<T>::add_values_within(const Step& step, std::int32_t permutation,
                                              const std::vector<std::int64_t>& holders,
                                              std::vector<T>& matrix) {
  const auto p = static_cast<std::size_t>(permutation);
  const std::int64_t n = problem_.permutations[p].size;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (const std::int32_t child : nesting_.children(step.root, permutation)) {
        path_.slot[p] = i;
        path_.unit[p] = j;
        path_.holder[p] = holders[static_cast<std::size_t>(j)];
        double value = 0.0;
        const Status status = solve_within(step, child, false, value);
        if (status != Status::ok) return status;
        matrix[static_cast<std::size_t>(i * n + j)] += static_cast<T>(value);
      }
    }
  }
  return Status::ok;
}

template <class T>
Status NestedAssignment<T>::keep_step(const Step& step, std::int32_t permutation,
                                      const std::vector<std::int64_t>& holders,
                                      const std::vector<std::int64_t>& units) {
  const auto p = static_cast<std::size_t>(permutation);
  const std::int64_t offset = copy_offset(problem_, permutation, path_.slot);
  std::copy(units.begin(), units.end(), step.proposal[p].begin() + offset);
  for (std::size_t i = 0; i < units.size(); ++i) {
    for (const std::int32_t child : nesting_.children(step.root, permutation)) {
      path_.slot[p] = static_cast<std::int64_t>(i);
      path_.unit[p] = units[i];
      path_.holder[p] = holders[static_cast<std::size_t>(units[i])];
      double value = 0.0;
      const Status status = solve_within(step, child, true, value);
      if (status != Status::ok) return status;
    }
  }
  return Status::ok;
}

template <class T>
std::vector<std::int64_t> NestedAssignment<T>::holders_of_units(const Step& step,
                                                                std::int32_t permutation) const {
  const auto p = static_cast<std::size_t>(permutation);
  const std::int64_t n = problem_.permutations[p].size;
  const std::int64_t* filled = step.current[p].data() + copy_offset(problem_, permutation, path_.holder);
  std::vector<std::int64_t> holders(static_cast<std::size_t>(n));
  for (std::int64_t slot = 0; slot < n; ++slot) holders[static_cast<std::size_t>(filled[slot])] = slot;
  return holders;
}

template class NestedAssignment<float>;
template class NestedAssignment<double>;

}  // namespace rebasin
