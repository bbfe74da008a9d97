#include "k_best/kernels.hpp"

#include "simd/table_in_use.hpp"

namespace rebasin::k_best {

REBASIN_DECLARE_LEVEL_TABLES(Kernels);

const Kernels& kernels() {
  static const Kernels& chosen = simd::table_in_use<Kernels>(REBASIN_LEVEL_TABLES);
  return chosen;
}

}  // namespace rebasin::k_best
