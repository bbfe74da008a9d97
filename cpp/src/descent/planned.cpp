#include "descent/planned.hpp"

#include <vector>

#include "descent/denial.hpp"
#include "descent/evidence.hpp"
#include "descent/plan.hpp"
#include "descent/visit_log.hpp"
#include "stopwatch.hpp"

namespace rebasin {
namespace {

// Independent networks, random or trained, score 0.6 to 0.95; copies with noise of half a standard
// deviation 1.2 to 5.
constexpr double score_of_related_models = 1.05;

// What the queue adds to the rise of a first pass that found its way: nothing on residual networks up to 1 %
// of the rise on ResNet-50, trained or random. On perceptrons it is 3 to 8 %, and orders of visits end apart.
constexpr double share_of_a_pass_astray = 0.02;

template <class T>
class PlannedDescent {
 public:
  PlannedDescent(Engine<T>& engine, const DescentOptions& options, DescentResult& result)
      : engine_(engine), options_(options), result_(result), log_(options, result) {}

  Status run() {
    if (options_.most_sweeps == 0) return Status::ok;
    log_.begin_sweep(permutations());
    const double start = result_.objective;
    Status status = options_.first_pass ? first_pass() : Status::ok;
    end_full_sweep();
    const double after_pass = result_.objective;
    if (status == Status::ok) status = options_.seed == 0 ? work_off() : work_off_perturbed();
    const bool astray = options_.first_pass &&
                        result_.objective - after_pass > share_of_a_pass_astray * (result_.objective - start);
    if (status == Status::ok && (astray || !options_.shakes_where_astray)) status = shake();
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
    Status status = settle_all(start, objective_at_start);
    if (status == Status::ok) status = engine_.measure();
    if (status != Status::ok || result_.objective >= objective_at_start) return status;
    // The models were aligned better than their settled evidence shows.
    engine_.restore(start, false);
    return engine_.measure();
  }

  // The family with the largest share of settled evidence is matched first, as a probe. Where it stands out
  // the models are related, and what counts is to be right; else the order of highest expected objective is
  // taken. A probe that does not come first there is taken back; its product is not lost, its family needs it
  // anyway.
  Status settle_all(const std::vector<Permutation>& start, double objective_at_start) {
    std::vector<std::int32_t> by_share, by_gain;
    plan(by_share, by_gain);
    if (by_share.empty()) return Status::ok;
    const std::int32_t probe = by_share.front();
    Settled settled(engine_.problem());
    const Status status = engine_.settle(probe, settled, log_.heard());
    if (status != Status::ok) return status;
    const std::vector<std::int32_t>& order =
        engine_.settled_score() > score_of_related_models ? by_share : by_gain;
    const bool probe_stands = order.front() == probe;
    if (!probe_stands) {
      engine_.restore(start, false);
      result_.objective = objective_at_start;
    }
    for (const std::int32_t family : order) {
      const Status settling = settle(family, settled, probe_stands && family == probe);
      if (settling != Status::ok) return settling;
    }
    return Status::ok;
  }

  Status settle(std::int32_t family, Settled& settled, bool already) {
    const Status status = already ? Status::ok : engine_.settle(family, settled, log_.heard());
    settled.add(engine_.nesting(), family);
    ++result_.stats.visits;
    return status == Status::ok ? log_.after_visit(family, engine_) : status;
  }

  void plan(std::vector<std::int32_t>& by_share, std::vector<std::int32_t>& by_gain) {
    const Stopwatch watch(result_.stats.planning_seconds);
    const std::vector<Evidence> evidence = gather_evidence(engine_.problem(), engine_.nesting());
    by_share = plan_by_share(engine_.problem(), evidence);
    by_gain = plan_by_gain(engine_.problem(), evidence);
  }

  // Visits whatever has most to catch up with, until nothing has.
  Status work_off() {
    while (true) {
      const std::int32_t next = furthest_behind();
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

  // The same from where some units of every permutation were denied their partners, drawn by the seed:
  // another descent, to another local optimum where there are several. One that leads no higher than where it
  // began is given up for the plain one.
  Status work_off_perturbed() {
    constexpr std::int64_t number = std::int64_t{1} << 30;  // of no shake
    const std::vector<Permutation> before = result_.permutations;
    const double objective_before = result_.objective;
    log_.hold(objective_before);
    Status status = shake_all(number);
    log_.go_on();
    if (status == Status::ok) status = work_off();
    if (status != Status::ok) return status;
    const bool higher = log_.higher_than_held();
    if (!higher) {
      engine_.restore(before, false);
      result_.objective = objective_before;
      result_.converged = false;
    }
    log_.release();
    return higher ? Status::ok : work_off();
  }

  // Leaves a local optimum by denying some units of every permutation their partners, works off what that
  // moved, and goes back unless it led higher.
  Status shake() {
    while (result_.converged && result_.stats.shakes < options_.shakes) {
      const std::vector<Permutation> before = result_.permutations;
      const double objective_before = result_.objective;
      log_.hold(objective_before);
      Status status = shake_all(result_.stats.shakes++);
      log_.go_on();
      const bool cut_off = log_.sweep() == options_.most_sweeps;
      if (status == Status::ok) status = work_off();
      if (status != Status::ok) return status;
      if (!cut_off && log_.higher_than_held()) {
        ++result_.stats.shakes_kept;
        continue;
      }
      engine_.restore(before, true);
      result_.objective = objective_before;
    }
    return Status::ok;
  }

  Status shake_all(std::int64_t number) {
    result_.converged = false;
    for (std::int32_t p = 0; p < permutations(); ++p) {
      const std::int64_t units = engine_.problem().permutations[static_cast<std::size_t>(p)].size;
      if (!engine_.can_be_shaken(p) || units < 2) continue;
      if (log_.sweep() == options_.most_sweeps) return Status::ok;
      Status status = engine_.shake(p, denied_slots(units, number, p, options_.seed));
      if (status == Status::ok) status = log_.after_visit(p, engine_);
      if (status != Status::ok) return status;
      end_full_sweep();
    }
    return Status::ok;
  }

  std::int32_t furthest_behind() {
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

  Engine<T>& engine_;
  const DescentOptions& options_;
  DescentResult& result_;
  VisitLog log_;
};

}  // namespace

template <class T>
Status planned_descent(Engine<T>& engine, const DescentOptions& options, DescentResult& result) {
  return PlannedDescent<T>(engine, options, result).run();
}

template Status planned_descent<float>(Engine<float>&, const DescentOptions&, DescentResult&);
template Status planned_descent<double>(Engine<double>&, const DescentOptions&, DescentResult&);

}  // namespace rebasin
