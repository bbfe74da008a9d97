#include "descent/steps/engine.hpp"

#include <algorithm>
#include <cmath>

#include "stopwatch.hpp"

namespace rebasin {
Engine::Engine(const Problem& problem, Backend& backend, const DescentOptions& options, DescentResult& result)
    : problem_(problem),
      backend_(backend),
      options_(options),
      result_(result),
      gather_(problem, result.permutations),
      nesting_(problem),
      neighbours_(problem, nesting_),
      single_(problem, backend, options.bytes_to_keep, result.stats),
      nested_(problem, nesting_, backend, result.stats),
      proposal_(result.permutations),
      pending_(problem.permutations.size(), true),
      pending_flop_(problem.permutations.size(), -1.0),
      due_(problem.permutations.size(), false),
      recorded_(options.recorded) {}

Status Engine::measure() {
  const Stopwatch watch(result_.stats.objective_seconds);
  const Status status = backend_.objective(gather_, result_.objective);
  if (status != Status::ok) return status;
  return std::isfinite(result_.objective) ? Status::ok : Status::invalid_entry;
}

Status Engine::prepare(std::span<const std::int32_t> upcoming, const FixedAxes* fixed) {
  if (!backend_.batches() || !prepared_.empty() || recorded_.any()) return Status::ok;
  std::vector<std::int32_t> group, due;
  for (const std::int32_t permutation : upcoming) {
    const std::vector<std::int32_t>& near = neighbours_.of(permutation);
    const bool depends = std::any_of(group.begin(), group.end(), [&](std::int32_t other) {
      return other == permutation || std::binary_search(near.begin(), near.end(), other);
    });
    if (depends || !single_.is_kept(permutation)) break;
    group.push_back(permutation);
    if (fixed != nullptr || pending_[permutation]) due.push_back(permutation);
  }
  if (due.size() < 2) return Status::ok;
  std::vector<Permutation> found;
  const Status status = single_.propose(due, gather_, fixed, {}, found);
  if (status != Status::ok) return status;
  for (std::size_t k = 0; k < due.size(); ++k) prepared_[due[k]] = std::move(found[k]);
  return Status::ok;
}

Status Engine::visit(std::int32_t permutation) {
  ++result_.stats.visits;
  if (!pending_[permutation]) {
    ++result_.stats.skipped_visits;
    return Status::ok;
  }
  const Status status = propose(permutation, Limits{});
  if (status != Status::ok) return status;
  // Cleared before the step: a permutation that is its own neighbour is pending again once it has moved.
  pending_[permutation] = due_[permutation] = false;
  return proposal_ != result_.permutations ? take_if_better(permutation) : Status::ok;
}

Status Engine::match_on_fixed_axes(std::int32_t root, const FixedAxes& fixed, bool measured) {
  const Status status = propose(root, Limits{&fixed});
  if (status != Status::ok) return status;
  pending_flop_[root] = -1.0;
  due_[root] = false;
  if (proposal_ != result_.permutations) ++result_.stats.accepted_steps;
  if (measured) return take(root);
  gather_.update(neighbours_.tensors_of(root), proposal_);
  move_family(root);
  return Status::ok;
}

Status Engine::perturb(std::int32_t permutation, const std::vector<std::int64_t>& forbidden) {
  ++result_.stats.visits;
  const Permutation& current = result_.permutations[permutation];
  Limits limits;
  for (const std::int64_t slot : forbidden) limits.forbidden.push_back({slot, current[slot]});
  const Status status = propose(permutation, limits);
  if (status != Status::ok) return status;
  const Status taking = take(permutation);
  pending_[permutation] = due_[permutation] = true;
  pending_flop_[permutation] = -1.0;
  return taking;
}

// Takes the proposal for the permutation's family, at any change of the objective.
Status Engine::take(std::int32_t permutation) {
  double gain = 0.0;
  const Status status = gain_of_proposal(permutation, gain);
  if (status != Status::ok) return status;
  result_.objective += gain;
  move_family(permutation);
  return Status::ok;
}

// Writes the step of the permutation's family into proposal_: recalled, prepared, or computed.
Status Engine::propose(std::int32_t permutation, const Limits& limits) {
  if (recall(permutation, limits.fixed)) return Status::ok;
  fixed_axes_score_ = 0.0;
  const Status status =
      single_.stands_alone(permutation)
          ? propose_alone(permutation, limits)
          : nested_.propose(permutation, gather_, result_.permutations, proposal_, limits.fixed);
  if (status != Status::ok || !options_.on_step) return status;
  DescentStep step{permutation, fixed_axes_score_, {}};
  for_family(permutation, [&](std::size_t p) { step.family.push_back(proposal_[p]); });
  options_.on_step(step);
  return status;
}

Status Engine::propose_alone(std::int32_t permutation, const Limits& limits) {
  Permutation& units = proposal_[permutation];
  if (const auto prepared = prepared_.find(permutation); prepared != prepared_.end()) {
    units = std::move(prepared->second);
    prepared_.erase(prepared);
    return Status::ok;
  }
  std::vector<Permutation> found;
  Status status = single_.propose({permutation}, gather_, limits.fixed, limits.forbidden, found);
  if (status != Status::ok) return status;
  units = std::move(found.front());
  if (limits.fixed != nullptr) status = single_.score(permutation, units, fixed_axes_score_);
  single_.end_visit(permutation);
  return status;
}

bool Engine::recall(std::int32_t permutation, const FixedAxes* fixed) {
  const DescentStep* step =
      recorded_.next(permutation, nesting_.family(permutation), result_.permutations, problem_);
  if (step == nullptr) return false;
  std::size_t member = 0;
  for_family(permutation, [&](std::size_t p) { proposal_[p] = step->family[member++]; });
  fixed_axes_score_ = step->fixed_axes_score;
  if (single_.stands_alone(permutation)) single_.recall(permutation, gather_, fixed);
  return true;
}

// Moves the gather to the proposal; `gain` is by how much that raises the objective.
Status Engine::gain_of_proposal(std::int32_t permutation, double& gain) {
  const Stopwatch watch(result_.stats.objective_seconds);
  const std::vector<std::size_t>& touched = neighbours_.tensors_of(permutation);
  std::vector<OffsetTables> before;
  before.reserve(touched.size());
  for (const std::size_t t : touched) before.push_back(gather_.b_tables(t));
  gather_.update(touched, proposal_);
  return backend_.gain(touched, before, gather_, gain);
}

Status Engine::take_if_better(std::int32_t permutation) {
  double gain = 0.0;
  const Status status = gain_of_proposal(permutation, gain);
  if (status != Status::ok) return status;
  bool better = false;
  const Status comparing = is_better(gain, better);
  if (comparing != Status::ok) return comparing;
  if (!better && !options_.overwrite) {
    gather_.update(neighbours_.tensors_of(permutation), result_.permutations);
    for_family(permutation, [&](std::size_t p) { proposal_[p] = result_.permutations[p]; });
    return Status::ok;
  }
  result_.objective += gain;
  if (better) ++result_.stats.accepted_steps;
  move_family(permutation);
  return Status::ok;
}

// The objective may hold a constant that no step could ever gain: what it can gain is measured where a step
// would fail by the whole of it.
Status Engine::is_better(double gain, bool& better) {
  better = gain > options_.tolerance * std::abs(result_.objective);
  if (better || !(gain > 0.0)) return Status::ok;
  if (spread_ < 0.0) {
    const Status status = backend_.spread(spread_);
    if (status != Status::ok) return status;
  }
  better = gain > options_.tolerance * spread_;
  return Status::ok;
}

// Makes the family's proposal the permutation as it stands.
void Engine::move_family(std::int32_t permutation) {
  for_family(permutation, [&](std::size_t p) { result_.permutations[p] = proposal_[p]; });
  for (const std::int32_t q : neighbours_.of(permutation)) {
    pending_[q] = true;
    pending_flop_[q] = -1.0;
  }
}

void Engine::restore(const std::vector<Permutation>& permutations, bool at_rest) {
  for (std::size_t p = 0; p < permutations.size(); ++p)
    due_[p] = !at_rest && permutations[p] != result_.permutations[p];
  result_.permutations = permutations;
  proposal_ = permutations;
  prepared_.clear();
  for (std::size_t t = 0; t < problem_.tensors.size(); ++t) gather_.update({t}, permutations);
  pending_.assign(pending_.size(), !at_rest);
  pending_flop_.assign(pending_flop_.size(), -1.0);
}

double Engine::pending_flop(std::int32_t permutation) {
  if (!pending_[permutation]) return 0.0;
  if (pending_flop_[permutation] < 0.0)
    pending_flop_[permutation] =
        std::max(due_[permutation] ? 1.0 : 0.0, single_.stands_alone(permutation)
                                                    ? single_.pending_flop(permutation, gather_)
                                                    : nested_.pending_flop(permutation));
  return pending_flop_[permutation];
}

double Engine::flop_ahead() {
  double flop = 0.0;
  for (std::size_t p = 0; p < pending_.size(); ++p) flop += pending_flop(static_cast<std::int32_t>(p));
  return flop;
}

void Engine::take_statistics() {
  const ProductCounters& products = backend_.counters();
  result_.stats.product_flop = products.flop;
  result_.stats.product_columns = products.columns;
  result_.stats.packed_bytes = products.packed_bytes;
  result_.stats.packing_seconds = products.packing_seconds;
}

}  // namespace rebasin
