// Counts visits and sweeps, reports them to the listener, and keeps the history.
#pragma once

#include <cmath>
#include <cstdint>

#include "descent/steps/engine.hpp"
#include "rebasin/descent.hpp"

namespace rebasin {

class VisitLog {
 public:
  VisitLog(const DescentOptions& options, DescentResult& result) : options_(options), result_(result) {}

  void begin_sweep(std::int64_t visits) {
    visits_ = visits;
    visit_ = 0;
  }

  // From here to go_on() visits may lower the objective; it is reported as `objective`, which the result will
  // have at least.
  void hold(double objective) {
    held_ = objective;
    holds_ = holding_ = true;
  }
  void go_on() { holding_ = false; }
  // The objective is reported as it is again; it must not be lower than what was held.
  void release() {
    holds_ = false;
    if (visit_ == 0 && !result_.history.empty()) result_.history.back() = result_.objective;
  }

  // By more than the tolerance of a step.
  bool higher_than_held() const { return result_.objective - held_ > options_.tolerance * std::abs(held_); }

  // interrupted: the listener stops the descent.
  Status after_visit(std::int32_t permutation, Engine& engine) {
    ++visit_;
    if (!options_.on_visit) return Status::ok;
    const DescentEvent event{
        sweep_, visit_, visits_, permutation, objective(), engine.flop_done(), engine.flop_ahead()};
    return options_.on_visit(event) ? Status::ok : Status::interrupted;
  }

  void end_sweep() {
    result_.history.push_back(objective());
    ++sweep_;
  }

  std::int64_t sweep() const { return sweep_; }
  std::int64_t visit() const { return visit_; }
  bool has_listener() const { return options_.on_visit != nullptr; }

 private:
  double objective() const {
    if (!holds_) return result_.objective;
    return !holding_ && higher_than_held() ? result_.objective : held_;
  }

  const DescentOptions& options_;
  DescentResult& result_;
  double held_ = 0.0;
  bool holds_ = false, holding_ = false;
  std::int64_t sweep_ = 0, visit_ = 0, visits_ = 0;
};

}  // namespace rebasin
