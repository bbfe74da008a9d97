// Doubles as unsigned integers of the same order, for atomic minima.
#pragma once

#include <cstdint>
#include <cstring>

#include "cuda/host_device.hpp"

namespace rebasin::cuda {

using Bits = unsigned long long;

inline constexpr Bits sign_bit = 1ull << 63;

REBASIN_HD inline Bits to_ordered(double value) {
  Bits bits = 0;
  memcpy(&bits, &value, sizeof(bits));
  return (bits & sign_bit) != 0 ? ~bits : bits | sign_bit;
}

REBASIN_HD inline double from_ordered(Bits ordered) {
  const Bits bits = (ordered & sign_bit) != 0 ? ordered ^ sign_bit : ~ordered;
  double value = 0.0;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace rebasin::cuda
