// Code that runs in a CUDA kernel and, from the same source, on the host, where sanitizers check it.
#pragma once

#include <limits>

#if defined(__CUDACC__)
#define REBASIN_HD __host__ __device__
// Kept out of line: rarely on the hot path, and long to compile.
#define REBASIN_HD_CALL __host__ __device__ __noinline__
#else
#define REBASIN_HD
#define REBASIN_HD_CALL
#endif

namespace rebasin::cuda {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

template <class V>
REBASIN_HD constexpr V smaller(V a, V b) {
  return b < a ? b : a;
}

template <class V>
REBASIN_HD constexpr V larger(V a, V b) {
  return a < b ? b : a;
}

// Reductions of a Warp or a Team.
struct Min {
  template <class V>
  REBASIN_HD V operator()(V a, V b) const {
    return smaller(a, b);
  }
};

struct Max {
  template <class V>
  REBASIN_HD V operator()(V a, V b) const {
    return larger(a, b);
  }
};

struct Sum {
  template <class V>
  REBASIN_HD V operator()(V a, V b) const {
    return a + b;
  }
};

}  // namespace rebasin::cuda
