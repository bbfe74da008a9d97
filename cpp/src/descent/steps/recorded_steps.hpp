// Steps of an earlier descent, used from the first on for as long as they fit.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/descent.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

class RecordedSteps {
 public:
  explicit RecordedSteps(const std::vector<DescentStep>& steps) : steps_(steps) {}

  bool any() const { return used_ < steps_.size(); }

  // The step of a permutation with its family; null where it does not fit, which ends the use of all.
  const DescentStep* next(std::int32_t permutation, const std::vector<std::int32_t>& family,
                          const std::vector<Permutation>& current, const Problem& problem) {
    if (!any()) return nullptr;
    const DescentStep& step = steps_[used_++];
    bool fits = step.permutation == permutation && step.family.size() == family.size();
    for (std::size_t k = 0; fits && k < family.size(); ++k) {
      const auto p = static_cast<std::size_t>(family[k]);
      fits = holds_every_unit(step.family[k], current[p].size(), problem.permutations[p].size);
    }
    if (fits) return &step;
    used_ = steps_.size();
    return nullptr;
  }

 private:
  // Whether `copies` is `length` indices, each run of n of which holds 0 to n - 1 once.
  static bool holds_every_unit(const Permutation& copies, std::size_t length, std::int64_t n) {
    if (copies.size() != length) return false;
    std::vector<bool> seen;
    for (std::size_t i = 0; i < length; ++i) {
      if (i % static_cast<std::size_t>(n) == 0) seen.assign(n, false);
      const std::int64_t unit = copies[i];
      if (unit < 0 || unit >= n || seen[unit]) return false;
      seen[unit] = true;
    }
    return true;
  }

  const std::vector<DescentStep>& steps_;
  std::size_t used_ = 0;
};

}  // namespace rebasin
