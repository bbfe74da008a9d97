#include "k_best/kernels.hpp"

#include "rebasin/simd.hpp"

namespace rebasin::k_best {

#if REBASIN_SIMD_X86
extern const Kernels kernels_v2;
extern const Kernels kernels_v3;
extern const Kernels kernels_v4;
#else
extern const Kernels kernels_baseline;
#endif

namespace {

const Kernels& choose() {
#if REBASIN_SIMD_X86
  const std::string level = simd_level();
  return level == kernels_v4.level ? kernels_v4 : level == kernels_v3.level ? kernels_v3 : kernels_v2;
#else
  return kernels_baseline;
#endif
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace rebasin::k_best
