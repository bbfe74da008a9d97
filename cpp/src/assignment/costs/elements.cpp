#include "assignment/costs/elements.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

namespace rebasin::assignment {
namespace {

// Every value of the other types is a number as it is.
template <class S>
S number(S value) {
  return value;
}
float number(Float16 value) {
  return widen(value);
}
float number(BFloat16 value) {
  return widen(value);
}

template <class S, class T, bool swapped>
void gather(const char* first, std::int64_t stride, std::int64_t count, [[maybe_unused]] std::int64_t offset,
            T* out) {
  const auto convert = [=](S value) {
    if constexpr (std::is_integral_v<S> && sizeof(S) == 8) {
      const std::uint64_t difference = static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(offset);
      return offset == 0 ? static_cast<T>(value) : static_cast<T>(static_cast<std::int64_t>(difference));
    } else {
      return static_cast<T>(number(value));
    }
  };
  if (!swapped && stride == std::int64_t{sizeof(S)}) {
    for (std::int64_t k = 0; k < count; ++k) {
      S value;
      std::memcpy(&value, first + k * std::int64_t{sizeof(S)}, sizeof(S));
      out[k] = convert(value);
    }
    return;
  }
  for (std::int64_t k = 0; k < count; ++k) {
    std::array<char, sizeof(S)> bytes;
    std::memcpy(bytes.data(), first + k * stride, sizeof(S));
    if constexpr (swapped) std::reverse(bytes.begin(), bytes.end());
    out[k] = convert(std::bit_cast<S>(bytes));
  }
}

template <class S, class T>
Gather<T> with_order(bool swapped) {
  return swapped ? gather<S, T, true> : gather<S, T, false>;
}

}  // namespace

bool fits_float32(DType dtype) {
  switch (dtype) {
    case DType::float64:
    case DType::int32:
    case DType::int64:
    case DType::uint32:
    case DType::uint64:
      return false;
    default:
      return true;
  }
}

template <class T>
Gather<T> choose_gather(DType dtype, bool swapped) {
  switch (dtype) {
    case DType::float16:
      return with_order<Float16, T>(swapped);
    case DType::bfloat16:
      return with_order<BFloat16, T>(swapped);
    case DType::float32:
      return with_order<float, T>(swapped);
    case DType::int8:
      return with_order<std::int8_t, T>(swapped);
    case DType::int16:
      return with_order<std::int16_t, T>(swapped);
    case DType::int32:
      return with_order<std::int32_t, T>(swapped);
    case DType::int64:
      return with_order<std::int64_t, T>(swapped);
    case DType::uint8:
      return with_order<std::uint8_t, T>(swapped);
    case DType::uint16:
      return with_order<std::uint16_t, T>(swapped);
    case DType::uint32:
      return with_order<std::uint32_t, T>(swapped);
    case DType::uint64:
      return with_order<std::uint64_t, T>(swapped);
    case DType::float64:
      break;
  }
  return with_order<double, T>(swapped);
}

template Gather<float> choose_gather<float>(DType, bool);
template Gather<double> choose_gather<double>(DType, bool);

}  // namespace rebasin::assignment
