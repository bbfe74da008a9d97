// Compiled once per instruction-set level; REBASIN_SIMD_LEVEL names the level and its table. Plain loops,
// which compilers turn into vector code.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "bottleneck/kernels.hpp"
#include "simd/level_table.hpp"

namespace rebasin::bottleneck {
namespace {

constexpr std::int64_t block = 16;

template <class T>
constexpr T top =
    std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();

template <class T>
T lower(const T* __restrict row, T* __restrict minima, std::int64_t count, bool& nan) {
  // Minima of lanes: the order of a single chain would keep it scalar.
  std::array<T, block> least;
  std::array<unsigned char, block> strange{};
  least.fill(top<T>);
  std::int64_t j = 0;
  for (; j + block <= count; j += block) {
    for (std::int64_t k = 0; k < block; ++k) {
      const T cost = row[j + k];
      minima[j + k] = cost < minima[j + k] ? cost : minima[j + k];
      least[k] = cost < least[k] ? cost : least[k];
      strange[k] |= cost != cost;
    }
  }
  T result = top<T>;
  bool any = false;
  for (std::int64_t k = 0; k < block; ++k) {
    result = std::min(result, least[k]);
    any = any || strange[k] != 0;
  }
  for (; j < count; ++j) {
    minima[j] = row[j] < minima[j] ? row[j] : minima[j];
    result = row[j] < result ? row[j] : result;
    any = any || row[j] != row[j];
  }
  nan = nan || any;
  return result;
}

template <class T>
void mark(const T* row, T threshold, std::uint64_t* bits, std::int64_t count) {
  std::int64_t j = 0;
  for (; j + 64 <= count; j += 64) {
    std::array<unsigned char, 64> bytes;
    for (std::int64_t k = 0; k < 64; ++k) bytes[k] = row[j + k] <= threshold ? 1 : 0;
    std::uint64_t word = 0;
    for (std::int64_t k = 0; k < 8; ++k) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, bytes.data() + 8 * k, 8);
      // The product gathers the lowest bit of each byte in the highest byte.
      word |= (eight * 0x0102040810204080u >> 56) << (8 * k);
    }
    *bits++ = word;
  }
  if (j == count) return;
  std::uint64_t word = 0;
  for (std::int64_t k = 0; j + k < count; ++k) word |= std::uint64_t{row[j + k] <= threshold} << k;
  *bits = word;
}

}  // namespace

extern const Kernels REBASIN_LEVEL_TABLE;
const Kernels REBASIN_LEVEL_TABLE = {
    REBASIN_LEVEL_NAME,
    {lower<float>, mark<float>},
    {lower<double>, mark<double>},
    {lower<std::int64_t>, mark<std::int64_t>},
};

}  // namespace rebasin::bottleneck
