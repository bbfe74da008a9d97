// Perturbations for an iterated local search: the slots whose matches are forbidden for one assignment.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace rebasin {

// The slots of a permutation whose matches are forbidden: one in ten, at least one, drawn by the number of
// the perturbation, the permutation and the seed alone.
inline std::vector<std::int64_t> perturbed_slots(std::int64_t units, std::int64_t perturbation,
                                                 std::int32_t permutation, std::uint64_t seed) {
  constexpr std::int64_t one_in = 10;
  std::uint64_t state = (static_cast<std::uint64_t>(perturbation) << 32) +
                        static_cast<std::uint64_t>(permutation) + seed * 0xd1342543de82ef95u;
  const auto draw = [&state](std::int64_t below) {  // splitmix64 (Steele, Lea & Flood 2014)
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::int64_t>((z ^ (z >> 31)) % static_cast<std::uint64_t>(below));
  };
  std::vector<std::int64_t> slots(units);
  std::iota(slots.begin(), slots.end(), std::int64_t{0});
  const std::int64_t count = (units + one_in - 1) / one_in;
  for (std::int64_t i = 0; i < count; ++i) {
    std::swap(slots[i], slots[i + draw(units - i)]);
  }
  slots.resize(count);
  return slots;
}

}  // namespace rebasin
