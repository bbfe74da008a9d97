// Planned visiting: a first pass in a planned order over fixed axes, then a priority queue by pending change.
#pragma once

#include "descent/steps/engine.hpp"

namespace rebasin {

// Starts and ends as coordinate_descent() says; engine.measure() has been called.
Status planned_descent(Engine& engine, const DescentOptions& options, DescentResult& result);

}  // namespace rebasin
