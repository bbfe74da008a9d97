#include "descent/policy/planned.hpp"

#include <span>
#include <vector>

#include "descent/policy/perturbation.hpp"
#include "descent/policy/plan.hpp"
#include "descent/policy/similarity_variance.hpp"
#include "descent/policy/visit_log.hpp"
#include "stopwatch.hpp"

namespace rebasin {
namespace {

// Independent networks, random or trained, score 0.6 to 0.95; copies with noise of half a standard
// deviation 1.2 to 5.
constexpr double score_of_related_models = 1.05;

// The share of the gain that the queue adds after a first pass: nothing on residual networks, up to 1 % on
// ResNet-50, trained or random. On perceptrons it is 3 to 8 %, and the final objective depends on the order.
constexpr double share_of_underperformed_pass = 0.02;

class PlannedDescent {
 public:
  PlannedDescent(Engine& engine, const DescentOptions& options, DescentResult& result)
      : engine_(engine), options_(options), result_(result), log_(options, result) {}

  Status run() {
    if (options_.most_sweeps == 0) return Status::ok;
    log_.begin_sweep(permutations());
    const double start = result_.objective;
    Status status = options_.first_pass ? first_pass() : Status::ok;
    end_full_sweep();
    const double after_pass = result_.objective;
    if (status == Status::ok) status = options_.seed == 0 ? drain_queue() : drain_queue_perturbed();
    const bool first_pass_underperformed =
        options_.first_pass &&
        result_.objective - after_pass > share_of_underperformed_pass * (result_.objective - start);
    if (status == Status::ok && (first_pass_underperformed || !options_.perturb_only_if_underperformed))
      status = perturb();
    if (status == Status::ok && (log_.visit() > 0 || result_.history.empty())) log_.end_sweep();
    return status;
  }

 private:
  std::int64_t permutations() const {
    return static_cast<std::int64_t>(engine_.problem().permutations.size());
  }

  Status first_pass() {
    const std::vector<Permutation> start = result_.permutations;
    const double objective_at_start = result_.objective;
    Status status = match_all_on_fixed_axes(start, objective_at_start);
    if (status == Status::ok) status = engine_.measure();
    if (status != Status::ok || result_.objective >= objective_at_start) return status;
    // The models were aligned better than similarities over their fixed axes show.
    engine_.restore(start, false);
    return engine_.measure();
  }

  // The family with the largest share of its variance on fixed axes is matched first, as a probe. Where it
  // stands out the models are related, and this order makes fewer wrong matches; else the order of highest
  // expected objective is taken. A probe that does not come first there is undone; its product is kept, since
  // its family needs it later.
  Status match_all_on_fixed_axes(const std::vector<Permutation>& start, double objective_at_start) {
    std::vector<std::int32_t> by_share, by_gain;
    const Status planning = plan(by_share, by_gain);
    if (planning != Status::ok || by_share.empty()) return planning;
    const std::int32_t probe = by_share.front();
    FixedAxes fixed(engine_.problem());
    const Status status = engine_.match_on_fixed_axes(probe, fixed, log_.has_listener());
    if (status != Status::ok) return status;
    const std::vector<std::int32_t>& order =
        engine_.fixed_axes_score() > score_of_related_models ? by_share : by_gain;
    const bool probe_stands = order.front() == probe;
    if (!probe_stands) {
      engine_.restore(start, false);
      result_.objective = objective_at_start;
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Status status_of_match =
          match_next(std::span(order).subspan(i), fixed, probe_stands && order[i] == probe);
      if (status_of_match != Status::ok) return status_of_match;
    }
    return Status::ok;
  }

  Status match_next(std::span<const std::int32_t> order, FixedAxes& fixed, bool already) {
    const std::int32_t family = order.front();
    Status status = Status::ok;
    if (!already) {
      status = engine_.prepare(order, &fixed);
      if (status == Status::ok) status = engine_.match_on_fixed_axes(family, fixed, log_.has_listener());
    }
    fixed.add(engine_.nesting(), family);
    ++result_.stats.visits;
    return status == Status::ok ? log_.after_visit(family, engine_) : status;
  }

  Status plan(std::vector<std::int32_t>& by_share, std::vector<std::int32_t>& by_gain) {
    const Stopwatch watch(result_.stats.planning_seconds);
    std::vector<SimilarityVariance> variances;
    const Status status =
        similarity_variances(engine_.problem(), engine_.nesting(), engine_.backend(), variances);
    if (status != Status::ok) return status;
    by_share = plan_by_share(engine_.problem(), variances);
    by_gain = plan_by_gain(engine_.problem(), variances);
    return Status::ok;
  }

  // A priority queue by pending change: visits the permutation whose similarity has most to update, until
  // there is none.
  Status drain_queue() {
    while (true) {
      const std::int32_t next = next_by_pending_change();
      if (next < 0) break;
      if (log_.sweep() == options_.most_sweeps) return Status::ok;
      Status status = engine_.visit(next);
      if (status == Status::ok) status = log_.after_visit(next, engine_);
      if (status != Status::ok) return status;
      end_full_sweep();
    }
    result_.converged = true;
    return Status::ok;
  }

  // The same from a perturbation of every permutation, drawn by the seed:
  // another descent, to another local optimum where there are several. It is undone unless the objective is
  // higher than at its start.
  Status drain_queue_perturbed() {
    constexpr std::int64_t number = std::int64_t{1} << 30;  // of no other perturbation
    const std::vector<Permutation> before = result_.permutations;
    const double objective_before = result_.objective;
    log_.hold(objective_before);
    Status status = perturb_all(number);
    log_.go_on();
    if (status == Status::ok) status = drain_queue();
    if (status != Status::ok) return status;
    const bool higher = log_.higher_than_held();
    if (!higher) {
      engine_.restore(before, false);
      result_.objective = objective_before;
      result_.converged = false;
    }
    log_.release();
    return higher ? Status::ok : drain_queue();
  }

  // Iterated local search: leaves a local optimum by a perturbation in which some units of every permutation
  // may not keep their match, descends from there, and returns unless the objective is higher.
  Status perturb() {
    while (result_.converged && result_.stats.perturbations < options_.perturbations) {
      const std::vector<Permutation> before = result_.permutations;
      const double objective_before = result_.objective;
      log_.hold(objective_before);
      Status status = perturb_all(result_.stats.perturbations++);
      log_.go_on();
      const bool cut_off = log_.sweep() == options_.most_sweeps;
      if (status == Status::ok) status = drain_queue();
      if (status != Status::ok) return status;
      if (!cut_off && log_.higher_than_held()) {
        ++result_.stats.perturbations_kept;
        continue;
      }
      engine_.restore(before, true);
      result_.objective = objective_before;
    }
    return Status::ok;
  }

  Status perturb_all(std::int64_t number) {
    result_.converged = false;
    for (std::int32_t p = 0; p < permutations(); ++p) {
      const std::int64_t units = engine_.problem().permutations[p].size;
      if (!engine_.can_be_perturbed(p) || units < 2) continue;
      if (log_.sweep() == options_.most_sweeps) return Status::ok;
      Status status = engine_.perturb(p, perturbed_slots(units, number, p, options_.seed));
      if (status == Status::ok) status = log_.after_visit(p, engine_);
      if (status != Status::ok) return status;
      end_full_sweep();
    }
    return Status::ok;
  }

  std::int32_t next_by_pending_change() {
    std::int32_t found = -1;
    double most = 0.0;
    for (std::int32_t p = 0; p < permutations(); ++p) {
      const double pending = engine_.pending_flop(p);
      if (pending > most) {
        most = pending;
        found = p;
      }
    }
    return found;
  }

  void end_full_sweep() {
    if (log_.visit() < permutations() || permutations() == 0) return;
    log_.end_sweep();
    log_.begin_sweep(permutations());
  }

  Engine& engine_;
  const DescentOptions& options_;
  DescentResult& result_;
  VisitLog log_;
};

}  // namespace

Status planned_descent(Engine& engine, const DescentOptions& options, DescentResult& result) {
  return PlannedDescent(engine, options, result).run();
}

}  // namespace rebasin
