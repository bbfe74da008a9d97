#include <cstdlib>
#include <cstring>

#include "rebasin/simd.hpp"
#include "simd/kernels.hpp"

#if REBASIN_SIMD_X86
#include <cpuid.h>
#endif

namespace rebasin::simd {

#if REBASIN_SIMD_X86
namespace {

// GCC before 12 and clang before 18 refuse names of levels such as "x86-64-v4" in __builtin_cpu_supports, and
// clang before 18 the names of three features of the third level, which are read from CPUID here. The builtin
// also checks that the operating system saves the wide registers.
bool supports_f16c_movbe_lzcnt() {
  constexpr unsigned movbe = 1U << 22, f16c = 1U << 29, lzcnt = 1U << 5;
  unsigned eax = 0, ebx = 0, basic = 0, extended = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &basic, &edx) == 0) return false;
  if (__get_cpuid(0x80000001U, &eax, &ebx, &extended, &edx) == 0) return false;
  return (basic & movbe) != 0 && (basic & f16c) != 0 && (extended & lzcnt) != 0;
}

// The features of x86-64-v3 and of x86-64-v4 beyond it, as the System V ABI lists them. OSXSAVE is part of
// AVX's test.
bool supports_v3() {
  return __builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") && supports_f16c_movbe_lzcnt();
}

bool supports_v4() {
  return supports_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

}  // namespace

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
  if (supports_v4()) levels.push_back(&kernels_v4);
  if (supports_v3()) levels.push_back(&kernels_v3);
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
