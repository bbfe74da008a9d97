// One entry of a permuting gather, and the numbers that storage types stand for.
#pragma once

#include <cstdint>
#include <cstring>

#include "cuda/host_device.hpp"
#include "rebasin/cuda.hpp"

namespace rebasin::cuda {

// Offsets into the source of entry `index` of the output, by the plan's tables and by those subtracted.
struct Offsets {
  std::int64_t now;
  std::int64_t before;
};

REBASIN_HD inline Offsets offsets_of(const GatherPlan& plan, std::int64_t index) {
  Offsets offsets{0, 0};
  for (int axis = plan.axes; axis-- > 0;) {
    const std::int64_t length = plan.lengths[axis];
    const std::int64_t position = index % length;
    index /= length;
    const std::int64_t* table = plan.tables[axis];
    const std::int64_t now = table != nullptr ? table[position] : position * plan.strides[axis];
    offsets.now += now;
    offsets.before += plan.befores[axis] != nullptr ? plan.befores[axis][position] : now;
  }
  return offsets;
}

REBASIN_HD inline std::int64_t entries_of(const GatherPlan& plan) {
  std::int64_t entries = 1;
  for (int axis = 0; axis < plan.axes; ++axis) entries *= plan.lengths[axis];
  return entries;
}

struct HalfBits {
  std::uint16_t bits;
};
struct BrainBits {
  std::uint16_t bits;
};

REBASIN_HD inline float float_of(std::uint32_t bits) {
  float value = 0.0f;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

REBASIN_HD inline float number(float value) {
  return value;
}
REBASIN_HD inline double number(double value) {
  return value;
}
REBASIN_HD inline float number(BrainBits value) {
  return float_of(std::uint32_t{value.bits} << 16);
}
REBASIN_HD inline float number(HalfBits value) {
  const std::uint32_t sign = std::uint32_t{value.bits & 0x8000u} << 16;
  const std::uint32_t magnitude = value.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return float_of(sign | 0x7f800000u | magnitude << 13);
  // Exponent and mantissa in float32's places, short by a factor of 2^112 that one exact product supplies.
  const float scaled = float_of(magnitude << 13) * float_of(std::uint32_t{239} << 23);
  return sign != 0 ? -scaled : scaled;
}

template <class Source>
REBASIN_HD auto difference(const GatherPlan& plan, std::int64_t index) {
  const auto* source = static_cast<const Source*>(plan.source);
  const Offsets offsets = offsets_of(plan, index);
  return number(source[offsets.now]) - number(source[offsets.before]);
}

}  // namespace rebasin::cuda
