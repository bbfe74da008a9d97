#include "descent/steps/nested_assignment.hpp"

#include <algorithm>

#include "cost/slots.hpp"
#include "descent/host_backend.hpp"
#include "stopwatch.hpp"

namespace rebasin {

template <class T>
NestedAssignment<T>::NestedAssignment(const Problem& problem, const Nesting& nesting, Backend<T>& backend,
                                      Interrupt& interrupt, StepCounters& counters)
    : problem_(problem),
      nesting_(nesting),
      backend_(backend),
      interrupt_(interrupt),
      counters_(counters),
      path_(problem.permutations.size()) {}

template <class T>
Status NestedAssignment<T>::propose(std::int32_t root, const Gather& gather,
                                    const std::vector<Permutation>& current,
                                    std::vector<Permutation>& proposal, const FixedAxes* fixed) {
  const Step step{root, gather, current, proposal, fixed};
  const std::vector<std::int32_t>& parents = problem_.permutations[static_cast<std::size_t>(root)].parents;
  Status status = parents.empty() && nesting_.nests_alike(problem_, root, backend_.batches())
                      ? assign_leaves(step)
                      : Status::ok;
  for_each_combination(problem_, parents, path_.slot, [&] {
    if (status != Status::ok) return;
    hold(step, parents);
    double value = 0.0;
    status = solve(step, root, true, value);
  });
  leaves_.clear();
  return status;
}

// One product an innermost member for all pairs of slots and units, and one batch of the assignments within
// each pair of slots and units around it.
template <class T>
Status NestedAssignment<T>::assign_leaves(const Step& step) {
  for (const std::int32_t member : nesting_.family(step.root)) {
    if (!nesting_.is_leaf(member)) continue;
    Leaf& leaf = leaves_[member];
    for (const std::int32_t parent : problem_.permutations[static_cast<std::size_t>(member)].parents)
      leaf.copies *= problem_.permutations[static_cast<std::size_t>(parent)].size;
    {
      const Stopwatch watch(counters_.product_seconds);
      const Status status = backend_.form_blocks(
          leaf.copies, problem_.permutations[static_cast<std::size_t>(member)].size,
          occurrences_of_leaf(problem_, nesting_, step.root, step.fixed, member), step.gather);
      if (status != Status::ok) return status;
    }
    const Stopwatch watch(counters_.assignment_seconds);
    const std::vector<Match> blocks = blocks_of(step, member);
    leaf.place.assign(static_cast<std::size_t>(leaf.copies * leaf.copies), -1);
    for (std::size_t k = 0; k < blocks.size(); ++k)
      leaf.place[static_cast<std::size_t>(blocks[k][0] * leaf.copies + blocks[k][1])] =
          static_cast<std::int64_t>(k);
    counters_.assignments += static_cast<std::int64_t>(blocks.size());
    const Status status = backend_.assign_blocks(blocks, leaf.assignments);
    if (status != Status::ok) return status;
  }
  return Status::ok;
}

// The pairs of slots and units around a leaf that solve() passes through: parents that do not step are held.
template <class T>
std::vector<Match> NestedAssignment<T>::blocks_of(const Step& step, std::int32_t leaf) {
  const std::vector<std::int32_t>& parents = problem_.permutations[static_cast<std::size_t>(leaf)].parents;
  const std::vector<std::int32_t> held = nesting_.parents_outside(problem_, step.root, leaf);
  std::vector<Match> blocks;
  for_each_combination(problem_, parents, path_.slot, [&] {
    for_each_combination(problem_, parents, path_.unit, [&] {
      const bool reached = std::all_of(held.begin(), held.end(), [&](std::int32_t parent) {
        const auto p = static_cast<std::size_t>(parent);
        const std::int64_t offset = copy_offset(problem_, parent, path_.slot) + path_.slot[p];
        return path_.unit[p] == step.current[p][static_cast<std::size_t>(offset)];
      });
      if (reached) blocks.push_back({copy_within(leaf, path_.slot), copy_within(leaf, path_.unit)});
    });
  });
  return blocks;
}

template <class T>
std::int64_t NestedAssignment<T>::copy_within(std::int32_t permutation,
                                              const std::vector<std::int64_t>& path) const {
  std::int64_t copy = 0;
  for (const std::int32_t parent : problem_.permutations[static_cast<std::size_t>(permutation)].parents) {
    const auto p = static_cast<std::size_t>(parent);
    copy = copy * problem_.permutations[p].size + path[p];
  }
  return copy;
}

template <class T>
double NestedAssignment<T>::pending_flop(std::int32_t root) const {
  double flop = 1.0;  // a permutation that moves nothing is visited as well
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
Status NestedAssignment<T>::solve(const Step& step, std::int32_t permutation, bool keep, double& value) {
  const std::vector<std::int64_t> holders = holders_of_units(step, permutation);
  Permutation units;
  if (const auto found = leaves_.find(permutation); found != leaves_.end()) {
    const Leaf& leaf = found->second;
    const std::int64_t k = leaf.place[static_cast<std::size_t>(
        copy_within(permutation, path_.slot) * leaf.copies + copy_within(permutation, path_.unit))];
    const auto n = static_cast<std::int64_t>(holders.size());
    const auto first = leaf.assignments.columns.begin() + k * n;
    units.assign(first, first + n);
    value = leaf.assignments.objectives[static_cast<std::size_t>(k)];
  } else {
    const Status status = assign_by_similarity(step, permutation, holders, units, value);
    if (status != Status::ok) return status;
  }
  return keep ? keep_step(step, permutation, holders, units) : Status::ok;
}

template <class T>
Status NestedAssignment<T>::assign_by_similarity(const Step& step, std::int32_t permutation,
                                                 const std::vector<std::int64_t>& holders, Permutation& units,
                                                 double& value) {
  const std::int64_t n = problem_.permutations[static_cast<std::size_t>(permutation)].size;
  std::vector<T> matrix;
  {
    const Stopwatch watch(counters_.product_seconds);
    const Status status = backend_.similarity(
        n, occurrences_within(problem_, nesting_, step.root, step.fixed, step.current, path_, permutation),
        step.gather, matrix);
    if (status != Status::ok) return status;
  }
  if (!nesting_.children(step.root, permutation).empty()) {
    const Status status = add_values_within(step, permutation, holders, matrix);
    if (status != Status::ok) return status;
  }
  const Stopwatch watch(counters_.assignment_seconds);
  ++counters_.assignments;
  AssignmentSolution solution;
  const Status status = assign_finite(matrix.data(), n, nullptr, solution, interrupt_);
  units = std::move(solution.columns);
  value = solution.objective;
  return status;
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
