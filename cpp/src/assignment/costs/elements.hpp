// Strided runs of any element type, converted to float32 or float64.
#pragma once

#include <cstdint>

#include "rebasin/assignment.hpp"

namespace rebasin::assignment {

// Writes `count` elements that start at `first` and lie `stride` bytes apart.
template <class T>
using Gather = void (*)(const char* first, std::int64_t stride, std::int64_t count, std::int64_t offset,
                        T* out);

// True when float32 holds every value of the type exactly.
bool fits_float32(DType dtype);

std::int64_t element_size(DType dtype);

template <class T>
Gather<T> choose_gather(DType dtype, bool swapped_bytes);

}  // namespace rebasin::assignment
