#include "descent/steps/nested_assignment.hpp"

#include <algorithm>

#include "cost/slots.hpp"
#include "stopwatch.hpp"

namespace rebasin {

NestedAssignment::NestedAssignment(const Problem& problem, const Nesting& nesting, Backend& backend,
                                   DescentStats& stats)
    : problem_(problem),
      nesting_(nesting),
      backend_(backend),
      stats_(stats),
      path_(problem.permutations.size()) {}

Status NestedAssignment::propose(std::int32_t root, const Gather& gather,
                                 const std::vector<Permutation>& current, std::vector<Permutation>& proposal,
                                 const FixedAxes* fixed) {
  const Step step{root, gather, current, proposal, fixed};
  const std::vector<std::int32_t>& parents = problem_.permutations[root].parents;
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
Status NestedAssignment::assign_leaves(const Step& step) {
  for (const std::int32_t member : nesting_.family(step.root)) {
    if (!nesting_.is_leaf(member)) continue;
    Leaf& leaf = leaves_[member];
    leaf.copies = copies_of(problem_, member);
    {
      const Stopwatch watch(stats_.product_seconds);
      const Status status = backend_.form_blocks(
          leaf.copies, problem_.permutations[member].size,
          occurrences_of_leaf(problem_, nesting_, step.root, step.fixed, member), step.gather);
      if (status != Status::ok) return status;
    }
    const Stopwatch watch(stats_.assignment_seconds);
    const std::vector<Match> blocks = blocks_of(step, member);
    leaf.place.assign(leaf.copies * leaf.copies, -1);
    for (std::size_t k = 0; k < blocks.size(); ++k)
      leaf.place[blocks[k][0] * leaf.copies + blocks[k][1]] = static_cast<std::int64_t>(k);
    stats_.assignments += static_cast<std::int64_t>(blocks.size());
    const Status status = backend_.assign_blocks(blocks, leaf.assignments);
    if (status != Status::ok) return status;
  }
  return Status::ok;
}

// The pairs of slots and units around a leaf that solve() passes through: parents that do not step are held.
std::vector<Match> NestedAssignment::blocks_of(const Step& step, std::int32_t leaf) {
  const std::vector<std::int32_t>& parents = problem_.permutations[leaf].parents;
  const std::vector<std::int32_t> held = nesting_.parents_outside(problem_, step.root, leaf);
  std::vector<Match> blocks;
  for_each_combination(problem_, parents, path_.slot, [&] {
    for_each_combination(problem_, parents, path_.unit, [&] {
      const bool reached = std::all_of(held.begin(), held.end(), [&](std::int32_t parent) {
        const std::int64_t offset = copy_offset(problem_, parent, path_.slot) + path_.slot[parent];
        return path_.unit[parent] == step.current[parent][offset];
      });
      if (reached)
        blocks.push_back({copy_within(problem_, leaf, path_.slot), copy_within(problem_, leaf, path_.unit)});
    });
  });
  return blocks;
}

double NestedAssignment::pending_flop(std::int32_t root) const {
  double flop = 1.0;  // what moves nothing is visited all the same
  for (const Tensor& tensor : problem_.tensors) {
    double entries = 1.0;
    for (const std::int64_t length : tensor.shape) entries *= static_cast<double>(length);
    for (const Move& move : tensor.moves) {
      for (const std::int32_t member : move.permutations) {
        if (!nesting_.in_family(root, member)) continue;
        flop += 2.0 * entries * static_cast<double>(problem_.permutations[member].size);
      }
    }
  }
  return flop;
}

Status NestedAssignment::solve(const Step& step, std::int32_t permutation, bool keep, double& value) {
  const std::vector<std::int64_t> holders = holders_of_units(step, permutation);
  Permutation units;
  if (const auto found = leaves_.find(permutation); found != leaves_.end()) {
    const Leaf& leaf = found->second;
    const std::int64_t k = leaf.place[copy_within(problem_, permutation, path_.slot) * leaf.copies +
                                      copy_within(problem_, permutation, path_.unit)];
    const auto n = static_cast<std::int64_t>(holders.size());
    const auto first = leaf.assignments.columns.begin() + k * n;
    units.assign(first, first + n);
    value = leaf.assignments.objectives[k];
  } else {
    const Status status = assign_by_similarity(step, permutation, holders, units, value);
    if (status != Status::ok) return status;
  }
  return keep ? keep_step(step, permutation, holders, units) : Status::ok;
}

Status NestedAssignment::assign_by_similarity(const Step& step, std::int32_t permutation,
                                              const std::vector<std::int64_t>& holders, Permutation& units,
                                              double& value) {
  const std::int64_t n = problem_.permutations[permutation].size;
  std::vector<std::vector<double>> within;
  for (const std::int32_t child : nesting_.children(step.root, permutation)) {
    const Status status = values_within(step, permutation, child, holders, within.emplace_back());
    if (status != Status::ok) return status;
  }
  {
    const Stopwatch watch(stats_.product_seconds);
    const Status status = backend_.form(
        n, occurrences_within(problem_, nesting_, step.root, step.fixed, step.current, path_, permutation),
        step.gather);
    if (status != Status::ok) return status;
  }
  const Stopwatch watch(stats_.assignment_seconds);
  ++stats_.assignments;
  return backend_.assign_formed(within, units, value);
}

// Sums over the copies of `child` within parents that do not step: they are held.
Status NestedAssignment::solve_within(const Step& step, std::int32_t child, bool keep, double& value) {
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
void NestedAssignment::hold(const Step& step, const std::vector<std::int32_t>& permutations) {
  for (const std::int32_t held : permutations) {
    path_.unit[held] = step.current[held][copy_offset(problem_, held, path_.slot) + path_.slot[held]];
    path_.holder[held] = path_.slot[held];
  }
}

// The values of a child's own assignments between every slot and unit of `permutation`.
Status NestedAssignment::values_within(const Step& step, std::int32_t permutation, std::int32_t child,
                                       const std::vector<std::int64_t>& holders,
                                       std::vector<double>& values) {
  const std::int64_t n = problem_.permutations[permutation].size;
  values.assign(n * n, 0.0);
  for (std::int64_t k = 0; k < n * n; ++k) {
    path_.slot[permutation] = k / n;
    path_.unit[permutation] = k % n;
    path_.holder[permutation] = holders[k % n];
    const Status status = solve_within(step, child, false, values[k]);
    if (status != Status::ok) return status;
  }
  return Status::ok;
}

Status NestedAssignment::keep_step(const Step& step, std::int32_t permutation,
                                   const std::vector<std::int64_t>& holders,
                                   const std::vector<std::int64_t>& units) {
  const std::int64_t offset = copy_offset(problem_, permutation, path_.slot);
  std::copy(units.begin(), units.end(), step.proposal[permutation].begin() + offset);
  for (std::size_t i = 0; i < units.size(); ++i) {
    for (const std::int32_t child : nesting_.children(step.root, permutation)) {
      path_.slot[permutation] = static_cast<std::int64_t>(i);
      path_.unit[permutation] = units[i];
      path_.holder[permutation] = holders[units[i]];
      double value = 0.0;
      const Status status = solve_within(step, child, true, value);
      if (status != Status::ok) return status;
    }
  }
  return Status::ok;
}

std::vector<std::int64_t> NestedAssignment::holders_of_units(const Step& step,
                                                             std::int32_t permutation) const {
  const std::int64_t n = problem_.permutations[permutation].size;
  const std::int64_t* filled =
      step.current[permutation].data() + copy_offset(problem_, permutation, path_.holder);
  std::vector<std::int64_t> holders(n);
  for (std::int64_t slot = 0; slot < n; ++slot) holders[filled[slot]] = slot;
  return holders;
}

}  // namespace rebasin
