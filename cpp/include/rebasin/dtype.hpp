// The element types of arrays, and their conversion to numbers to compute with.
#pragma once

#include <bit>
#include <cstdint>

namespace rebasin {

// Costs may be of any of these; parameters are of the first four. The numbers are part of the device code's
// interface.
enum class DType : std::int32_t {
  float32 = 0,
  float64,
  float16,
  bfloat16,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
};

// The dtype of float or double.
template <class T>
inline constexpr DType floating_dtype = sizeof(T) == 4 ? DType::float32 : DType::float64;

struct Float16 {
  std::uint16_t bits;
};

struct BFloat16 {
  std::uint16_t bits;
};

inline float widen(float value) {
  return value;
}
inline double widen(double value) {
  return value;
}
inline float widen(BFloat16 value) {
  return std::bit_cast<float>(std::uint32_t{value.bits} << 16);
}

inline float widen(Float16 value) {
  const std::uint32_t sign = std::uint32_t{value.bits & 0x8000u} << 16;
  const std::uint32_t magnitude = value.bits & 0x7fffu;
  // Exponent and mantissa in float32's places, short by a factor of 2^112 that one exact product supplies;
  // that product makes subnormal halves right as well.
  const float scaled = std::bit_cast<float>(magnitude << 13) * std::bit_cast<float>(std::uint32_t{239} << 23);
  const std::uint32_t finite = std::bit_cast<std::uint32_t>(scaled);
  const std::uint32_t special = 0x7f800000u | (magnitude << 13);
  return std::bit_cast<float>(sign | (magnitude >= 0x7c00u ? special : finite));
}

// Calls `body` with a null pointer of the C++ type that stores `dtype`, which is a parameter's.
template <class Body>
decltype(auto) with_storage_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::float64:
      return body(static_cast<const double*>(nullptr));
    case DType::float16:
      return body(static_cast<const Float16*>(nullptr));
    case DType::bfloat16:
      return body(static_cast<const BFloat16*>(nullptr));
    case DType::float32:
    default:
      return body(static_cast<const float*>(nullptr));
  }
}

}  // namespace rebasin
