// Planned visiting: a first pass in a planned order over fixed axes, then a priority queue by pending change.
#pragma once

#include "descent/steps/engine.hpp"

namespace rebasin {

// Starts and ends as coordinate_descent() says; engine.measure() has been called.
template <class T>
Status planned_descent(Engine<T>& engine, const DescentOptions& options, DescentResult& result);

extern template Status planned_descent<float>(Engine<float>&, const DescentOptions&, DescentResult&);
extern template Status planned_descent<double>(Engine<double>&, const DescentOptions&, DescentResult&);

}  // namespace rebasin
