// Sums of float64 numbers without rounding until the last step.
#pragma once

#include <vector>

namespace rebasin::k_best {

// Keeps the exact sum of what was added as doubles that do not overlap (Shewchuk 1997).
class ExactSum {
 public:
  void add(double value);
  void clear() { parts_.clear(); }

  // The sum, rounded once to nearest, ties to even. Its sign is the exact sum's.
  double rounded() const;

 private:
  std::vector<double> parts_;  // increasing magnitude
};

}  // namespace rebasin::k_best
