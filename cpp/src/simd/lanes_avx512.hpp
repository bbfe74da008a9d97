// Lanes of AVX-512. Included by lanes.hpp only.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <limits>

namespace {

// A mask as bits in a general register. Without the barrier GCC 12 may spill the mask with a store of one
// byte and load four.
template <class Mask>
std::uint32_t bits_of_mask(Mask mask) {
  std::uint32_t bits = mask;
  __asm__("" : "+r"(bits));
  return bits;
}

template <>
struct Lanes<float> {
  using Vector = __m512;
  static constexpr int width = 16;
  static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Vector a) { _mm512_storeu_ps(p, a); }
  static Vector all(float a) { return _mm512_set1_ps(a); }
  static Vector sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector with_sign(Vector a, Vector sign) { return _mm512_xor_ps(a, sign); }
  // b where a is NaN.
  static Vector min(Vector a, Vector b) { return _mm512_min_ps(a, b); }
  static Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static std::uint32_t equal(Vector a, Vector b) {
    return bits_of_mask(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ));
  }
  static Vector blend(Vector a, Vector b, std::uint32_t bits) {
    return _mm512_mask_blend_ps(static_cast<__mmask16>(bits), a, b);
  }
  static float least(Vector a) { return _mm512_reduce_min_ps(a); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
  // Folds the lanes' best two into one pair, best <= second.
  static void two_least(Vector best, Vector second, float& least, float& next) {
    const auto fold = [&](Vector low, Vector high) {
      second = min(max(best, low), min(second, high));
      best = min(best, low);
    };
    fold(_mm512_shuffle_f32x4(best, best, 0x4e), _mm512_shuffle_f32x4(second, second, 0x4e));
    fold(_mm512_shuffle_f32x4(best, best, 0xb1), _mm512_shuffle_f32x4(second, second, 0xb1));
    fold(_mm512_permute_ps(best, 0x4e), _mm512_permute_ps(second, 0x4e));
    fold(_mm512_permute_ps(best, 0xb1), _mm512_permute_ps(second, 0xb1));
    least = _mm512_cvtss_f32(best);
    next = _mm512_cvtss_f32(second);
  }
  // -a - b or a - b.
  template <bool negate>
  static Vector reduced(Vector a, Vector b) {
    return negate ? _mm512_fnmsub_ps(a, all(1.0f), b) : sub(a, b);
  }
  // Bits of the lanes where a <= b or either is NaN.
  static std::uint32_t not_above(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_NGT_UQ); }
  static std::uint32_t below(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  // Stores the lanes whose bit is set side by side; may overwrite as much as a whole vector.
  static constexpr bool can_pack = true;
  static void pack(float* p, Vector a, std::uint32_t bits) {
    store(p, _mm512_maskz_compress_ps(static_cast<__mmask16>(bits), a));
  }
  // +inf where a is not above b.
  static Vector keep_above(Vector a, Vector b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ),
                                all(std::numeric_limits<float>::infinity()), a);
  }
};

template <>
struct Lanes<double> {
  using Vector = __m512d;
  static constexpr int width = 8;
  static Vector load(const double* p) { return _mm512_loadu_pd(p); }
  static Vector load(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  // The first `count` < width entries, then `fill`.
  static Vector load_first(const double* p, int count, double fill) {
    return _mm512_mask_loadu_pd(all(fill), static_cast<__mmask8>((1u << count) - 1), p);
  }
  static Vector load_first(const float* p, int count, float fill) {
    const auto mask = static_cast<__mmask8>((1u << count) - 1);
    return _mm512_cvtps_pd(_mm256_mask_loadu_ps(_mm256_set1_ps(fill), mask, p));
  }
  static void store(double* p, Vector a) { _mm512_storeu_pd(p, a); }
  static Vector all(double a) { return _mm512_set1_pd(a); }
  static Vector add(Vector a, Vector b) { return _mm512_add_pd(a, b); }
  static Vector sub(Vector a, Vector b) { return _mm512_sub_pd(a, b); }
  static Vector with_sign(Vector a, Vector sign) { return _mm512_xor_pd(a, sign); }
  static Vector min(Vector a, Vector b) { return _mm512_min_pd(a, b); }
  static Vector max(Vector a, Vector b) { return _mm512_max_pd(a, b); }
  template <bool negate>
  static Vector reduced(Vector a, Vector b) {
    return negate ? _mm512_fnmsub_pd(a, all(1.0), b) : sub(a, b);
  }
  static Vector gather(const double* base, const std::int32_t* index) {
    return _mm512_i32gather_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), base, 8);
  }
  static std::uint32_t not_above(Vector a, Vector b) { return _mm512_cmp_pd_mask(a, b, _CMP_NGT_UQ); }
  static constexpr bool can_pack = true;
  static void pack(double* p, Vector a, std::uint32_t bits) {
    store(p, _mm512_maskz_compress_pd(static_cast<__mmask8>(bits), a));
  }
  static Vector keep_above(Vector a, Vector b) {
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_GT_OQ),
                                all(std::numeric_limits<double>::infinity()), a);
  }
  static std::uint32_t below(Vector a, Vector b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
  static std::uint32_t equal(Vector a, Vector b) {
    return bits_of_mask(_mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ));
  }
  static double least(Vector a) { return _mm512_reduce_min_pd(a); }
  static Vector mul(Vector a, Vector b) { return _mm512_mul_pd(a, b); }
  static void two_least(Vector best, Vector second, double& least, double& next) {
    const auto fold = [&](Vector low, Vector high) {
      second = min(max(best, low), min(second, high));
      best = min(best, low);
    };
    fold(_mm512_shuffle_f64x2(best, best, 0x4e), _mm512_shuffle_f64x2(second, second, 0x4e));
    fold(_mm512_shuffle_f64x2(best, best, 0xb1), _mm512_shuffle_f64x2(second, second, 0xb1));
    fold(_mm512_permute_pd(best, 0x55), _mm512_permute_pd(second, 0x55));
    least = _mm512_cvtsd_f64(best);
    next = _mm512_cvtsd_f64(second);
  }
  // a, with b in the lanes whose bit is set.
  static Vector blend(Vector a, Vector b, std::uint32_t bits) {
    return _mm512_mask_blend_pd(static_cast<__mmask8>(bits), a, b);
  }
  static void store_bits(std::int32_t* p, std::int32_t value, std::uint32_t bits) {
    _mm256_mask_storeu_epi32(p, static_cast<__mmask8>(bits), _mm256_set1_epi32(value));
  }
};

}  // namespace
