#include <cstdlib>
#include <cstring>

#include "rebasin/simd.hpp"
#include "simd/kernels.hpp"

namespace rebasin::simd {

#if REBASIN_SIMD_X86
extern const Kernels kernels_v2;
extern const Kernels kernels_v3;
extern const Kernels kernels_v4;
#else
extern const Kernels kernels_baseline;
#endif

std::vector<const Kernels*> available() {
  std::vector<const Kernels*> levels;
#if REBASIN_SIMD_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) levels.push_back(&kernels_v4);
  if (__builtin_cpu_supports("x86-64-v3")) levels.push_back(&kernels_v3);
  levels.push_back(&kernels_v2);
#else
  levels.push_back(&kernels_baseline);
#endif
  return levels;
}

namespace {

const Kernels& choose() {
  const std::vector<const Kernels*> levels = available();
  const char* wanted = std::getenv("REBASIN_FAST_SIMD");
  for (const Kernels* kernels : levels) {
    if (wanted != nullptr && std::strcmp(kernels->level, wanted) == 0) return *kernels;
  }
  return *levels.front();
}

}  // namespace

const Kernels& active() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace rebasin::simd

namespace rebasin {

std::string simd_level() {
  return simd::active().level;
}

std::vector<std::string> simd_levels() {
  std::vector<std::string> names;
  for (const simd::Kernels* kernels : simd::available()) names.emplace_back(kernels->level);
  return names;
}

}  // namespace rebasin
