#include "assignment/elements.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

namespace rebasin::assignment {
namespace {

struct Half {
  std::uint16_t bits;
};
struct Brain {
  std::uint16_t bits;
};

float widen(Half half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = half.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude << 13));
  // Multiplying by 2^112 rebiases the exponent and normalises subnormals at once.
  const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
}

float widen(Brain brain) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(brain.bits) << 16);
}

template <class S>
S widen(S value) {
  return value;
}

template <class S, class T, bool swapped>
void gather(const char* first, std::int64_t stride, std::int64_t count, [[maybe_unused]] std::int64_t offset,
            T* out) {
  const auto convert = [=](S value) {
    if constexpr (std::is_integral_v<S> && sizeof(S) == 8) {
      const std::uint64_t difference = static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(offset);
      return offset == 0 ? static_cast<T>(value) : static_cast<T>(static_cast<std::int64_t>(difference));
    } else {
      return static_cast<T>(widen(value));
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

bool fits_float32(Element element) {
  switch (element) {
    case Element::float64:
    case Element::int32:
    case Element::int64:
    case Element::uint32:
    case Element::uint64:
      return false;
    default:
      return true;
  }
}

std::int64_t element_size(Element element) {
  switch (element) {
    case Element::int8:
    case Element::uint8:
      return 1;
    case Element::float16:
    case Element::bfloat16:
    case Element::int16:
    case Element::uint16:
      return 2;
    case Element::float32:
    case Element::int32:
    case Element::uint32:
      return 4;
    default:
      return 8;
  }
}

template <class T>
Gather<T> choose_gather(Element element, bool swapped) {
  switch (element) {
    case Element::float16:
      return with_order<Half, T>(swapped);
    case Element::bfloat16:
      return with_order<Brain, T>(swapped);
    case Element::float32:
      return with_order<float, T>(swapped);
    case Element::int8:
      return with_order<std::int8_t, T>(swapped);
    case Element::int16:
      return with_order<std::int16_t, T>(swapped);
    case Element::int32:
      return with_order<std::int32_t, T>(swapped);
    case Element::int64:
      return with_order<std::int64_t, T>(swapped);
    case Element::uint8:
      return with_order<std::uint8_t, T>(swapped);
    case Element::uint16:
      return with_order<std::uint16_t, T>(swapped);
    case Element::uint32:
      return with_order<std::uint32_t, T>(swapped);
    case Element::uint64:
      return with_order<std::uint64_t, T>(swapped);
    case Element::float64:
      break;
  }
  return with_order<double, T>(swapped);
}

template Gather<float> choose_gather<float>(Element, bool);
template Gather<double> choose_gather<double>(Element, bool);

}  // namespace rebasin::assignment
