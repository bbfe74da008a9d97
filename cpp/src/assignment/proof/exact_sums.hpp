// Floating-point operations whose rounding is known: error-free transformations and directed sums.
#pragma once

#include <cmath>
#include <limits>

namespace rebasin::assignment {

// a - b minus its rounded value, exactly, barring overflow (Knuth).
inline double difference_error(double a, double b, double rounded) {
  const double b_virtual = a - rounded;
  const double a_virtual = rounded + b_virtual;
  return (a - a_virtual) + (b_virtual - b);
}

inline double next_up(double x) {
  return std::nextafter(x, std::numeric_limits<double>::infinity());
}
inline double next_down(double x) {
  return std::nextafter(x, -std::numeric_limits<double>::infinity());
}

// The smallest double that is at least a + b.
inline double add_up(double a, double b) {
  const double sum = a + b;
  return difference_error(a, -b, sum) > 0.0 ? next_up(sum) : sum;
}

}  // namespace rebasin::assignment
