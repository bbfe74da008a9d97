// Strided runs of any element type, converted to float32 or float64.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "rebasin/assignment.hpp"

namespace rebasin::assignment {

// Writes `count` elements that start at `first` and lie `stride` bytes apart.
template <class T>
using Gather = void (*)(const char* first, std::int64_t stride, std::int64_t count, std::int64_t offset,
                        T* out);

// True when float32 holds every value of the type exactly.
bool fits_float32(DType dtype);

// The eight bytes at `at` as a number of this machine.
inline std::uint64_t read_bits(const char* at, bool swapped_bytes) {
  std::array<char, sizeof(std::uint64_t)> bytes;
  std::memcpy(bytes.data(), at, bytes.size());
  if (swapped_bytes) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<std::uint64_t>(bytes);
}

template <class T>
Gather<T> choose_gather(DType dtype, bool swapped_bytes);

}  // namespace rebasin::assignment
