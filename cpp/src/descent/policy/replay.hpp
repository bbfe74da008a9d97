// The published loop: sweep after sweep in orders that the caller gives, until a sweep raises nothing.
#pragma once

#include <span>
#include <vector>

#include "descent/policy/visit_log.hpp"
#include "descent/steps/engine.hpp"

namespace rebasin {

inline Status replay_orders(Engine& engine, const DescentOptions& options, DescentResult& result) {
  VisitLog log(options, result);
  std::vector<std::int32_t> order;
  while (!result.converged && options.next_order(log.sweep(), order)) {
    const std::int64_t accepted_before = result.stats.accepted_steps;
    log.begin_sweep(static_cast<std::int64_t>(order.size()));
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::int32_t permutation = order[i];
      Status status = engine.prepare(std::span(order).subspan(i), nullptr);
      if (status == Status::ok) status = engine.visit(permutation);
      if (status == Status::ok) status = log.after_visit(permutation, engine);
      if (status != Status::ok) return status;
    }
    log.end_sweep();
    result.converged = result.stats.accepted_steps == accepted_before;
  }
  return Status::ok;
}

}  // namespace rebasin
