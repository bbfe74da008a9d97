// Counts visits and sweeps, tells the listener, and keeps the history.
#pragma once

#include <cstdint>

#include "descent/engine.hpp"
#include "rebasin/descent.hpp"

namespace rebasin {

class VisitLog {
 public:
  VisitLog(const DescentOptions& options, DescentResult& result) : options_(options), result_(result) {}

  void begin_sweep(std::int64_t visits) {
    visits_ = visits;
    visit_ = 0;
  }

  // interrupted: the listener wants no more.
  template <class T>
  Status after_visit(std::int32_t permutation, Engine<T>& engine) {
    ++visit_;
    if (options_.on_visit == nullptr) return Status::ok;
    const DescentEvent event{
        sweep_, visit_, visits_, permutation, result_.objective, engine.flop_done(), engine.flop_ahead()};
    return options_.on_visit(options_.context, event) ? Status::ok : Status::interrupted;
  }

  void end_sweep() {
    result_.history.push_back(result_.objective);
    ++sweep_;
  }

  std::int64_t sweep() const { return sweep_; }
  std::int64_t visit() const { return visit_; }
  bool heard() const { return options_.on_visit != nullptr; }

 private:
  const DescentOptions& options_;
  DescentResult& result_;
  std::int64_t sweep_ = 0, visit_ = 0, visits_ = 0;
};

}  // namespace rebasin
