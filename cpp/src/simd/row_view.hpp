// A row of costs less the duals, in whole blocks.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

using rebasin::simd::block;

template <class T, bool negate>
struct RowView {
  using L = Lanes<T>;
  const T* run;
  const T* v;
  std::int64_t full;  // columns in whole blocks
  T tail[block];      // the rest, padded with +inf as counted

  RowView(const T* run_in, const T* v_in, std::int64_t columns)
      : run(run_in), v(v_in), full(columns / block * block) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    if (full == columns) return;
    const T padding = negate ? -infinity : infinity;
    for (int k = 0; k < block; ++k) tail[k] = full + k < columns ? run[full + k] : padding;
  }

  const T* block_at(std::int64_t first) const { return first < full ? run + first : tail; }

  typename L::Vector reduced(const T* entries, std::int64_t first, int k) const {
    return L::template reduced<negate>(L::load(entries + k), L::load(v + first + k));
  }
};

}  // namespace
