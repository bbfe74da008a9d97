#include "descent/planned.hpp"

#include <vector>

#include "descent/evidence.hpp"
#include "descent/plan.hpp"
#include "descent/visit_log.hpp"
#include "stopwatch.hpp"

namespace rebasin {
namespace {

// Independent networks, random or trained, score 0.6 to 0.95; copies with noise of half a standard
// deviation 1.2 to 5.
constexpr double score_of_related_models = 1.05;

template <class T>
class PlannedDescent {
 public:
  PlannedDescent(Engine<T>& engine, const DescentOptions& options, DescentResult& result)
      : engine_(engine), options_(options), result_(result), log_(options, result) {}

  Status run() {
    if (options_.most_sweeps == 0) return Status::ok;
    log_.begin_sweep(permutations());
    Status status = options_.first_pass ? first_pass() : Status::ok;
    end_full_sweep();
    if (status == Status::ok) status = work_off();
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
    engine_.restore(start);
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
      engine_.restore(start);
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
