// Matches that are forbidden for one assignment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "descent/backend.hpp"

namespace rebasin {

// For as long as it lives, every forbidden match has the least similarity of its slot.
template <class T>
class ForbiddenMatches {
 public:
  ForbiddenMatches(T* matrix, std::int64_t n, const std::vector<Match>& matches) {
    for (const auto& [slot, unit] : matches) {
      T* row = matrix + slot * n;
      replaced_.push_back({row + unit, row[unit]});
      row[unit] = *std::min_element(row, row + n);
    }
  }
  ~ForbiddenMatches() {
    for (const Replaced& replaced : replaced_) *replaced.place = replaced.value;
  }
  ForbiddenMatches(const ForbiddenMatches&) = delete;
  ForbiddenMatches& operator=(const ForbiddenMatches&) = delete;

 private:
  struct Replaced {
    T* place;
    T value;
  };
  std::vector<Replaced> replaced_;
};

}  // namespace rebasin
