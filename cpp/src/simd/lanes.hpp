// The few vector operations that the kernels need, at the width of the level being compiled.
//
// Included by level.cpp only. Everything here has internal linkage and calls no function of the standard
// library: a weak symbol compiled for a new machine could otherwise be linked into code meant for an old one.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

namespace {

template <class T>
struct Lanes;

// Whether the sign mask negates costs.
template <class T>
bool negates(T sign_mask) {
  return __builtin_signbit(sign_mask) != 0;
}

}  // namespace

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "simd/lanes_avx512.hpp"
#elif defined(__AVX2__)
#include "simd/lanes_avx2.hpp"
#else
#include "simd/lanes_plain.hpp"
#endif

namespace {

// Appends the columns first + k of the set bits k, ascending; returns how many. May overwrite 16 entries
// more.
inline int append_columns(std::int32_t* out, std::int32_t first, std::uint32_t bits) {
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
  const auto lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const auto columns = _mm512_add_epi32(_mm512_set1_epi32(first), lane);
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), columns));
  return __builtin_popcount(bits);
#else
  const int count = __builtin_popcount(bits);
  for (; bits != 0; bits &= bits - 1) *out++ = first + __builtin_ctz(bits);
  return count;
#endif
}

}  // namespace
