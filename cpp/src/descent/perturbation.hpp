// Perturbations for an iterated local search: matches that are forbidden for one assignment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace rebasin {

// The slots of a permutation that may not keep their unit: one in ten, at least one. Nothing but the three
// numbers decides which.
inline std::vector<std::int64_t> perturbed_slots(std::int64_t units, std::int64_t perturb,
                                                 std::int32_t permutation, std::uint64_t seed) {
  constexpr std::int64_t one_in = 10;
  std::uint64_t state = (static_cast<std::uint64_t>(perturb) << 32) +
                        static_cast<std::uint64_t>(permutation) + seed * 0xd1342543de82ef95u;
  const auto draw = [&state](std::int64_t below) {  // splitmix64 (Steele, Lea & Flood 2014)
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::int64_t>((z ^ (z >> 31)) % static_cast<std::uint64_t>(below));
  };
  std::vector<std::int64_t> slots(static_cast<std::size_t>(units));
  std::iota(slots.begin(), slots.end(), std::int64_t{0});
  const std::int64_t count = (units + one_in - 1) / one_in;
  for (std::int64_t i = 0; i < count; ++i) {
    std::swap(slots[static_cast<std::size_t>(i)], slots[static_cast<std::size_t>(i + draw(units - i))]);
  }
  slots.resize(static_cast<std::size_t>(count));
  return slots;
}

// For as long as it lives, the similarity of every given slot with its unit is the least of the slot's row.
template <class T>
class ForbiddenMatches {
 public:
  ForbiddenMatches(T* matrix, std::int64_t n, const std::vector<std::int64_t>& slots,
                   const std::vector<std::int64_t>& units) {
    for (const std::int64_t slot : slots) {
      T* row = matrix + slot * n;
      T& entry = row[units[static_cast<std::size_t>(slot)]];
      taken_.push_back({&entry, entry});
      entry = *std::min_element(row, row + n);
    }
  }
  ~ForbiddenMatches() {
    for (const Taken& taken : taken_) *taken.place = taken.value;
  }
  ForbiddenMatches(const ForbiddenMatches&) = delete;
  ForbiddenMatches& operator=(const ForbiddenMatches&) = delete;

 private:
  struct Taken {
    T* place;
    T value;
  };
  std::vector<Taken> taken_;
};

}  // namespace rebasin
