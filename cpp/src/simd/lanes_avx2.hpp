// Lanes of AVX2. Included by lanes.hpp only.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <limits>

namespace {

template <>
struct Lanes<float> {
  using Vector = __m256;
  static constexpr int width = 8;
  static constexpr bool can_pack = false;
  static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Vector a) { _mm256_storeu_ps(p, a); }
  static Vector all(float a) { return _mm256_set1_ps(a); }
  static Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector with_sign(Vector a, Vector sign) { return _mm256_xor_ps(a, sign); }
  static Vector min(Vector a, Vector b) { return _mm256_min_ps(a, b); }
  static Vector max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static std::uint32_t equal(Vector a, Vector b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)));
  }
  static Vector blend(Vector a, Vector b, std::uint32_t bits) {
    const __m256i lane_bit = _mm256_set_epi32(128, 64, 32, 16, 8, 4, 2, 1);
    const __m256i chosen = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane_bit);
    return _mm256_blendv_ps(a, b, _mm256_castsi256_ps(_mm256_cmpeq_epi32(chosen, lane_bit)));
  }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
  static void two_least(Vector best, Vector second, float& least, float& next) {
    const auto fold = [&](Vector low, Vector high) {
      second = min(max(best, low), min(second, high));
      best = min(best, low);
    };
    fold(_mm256_permute2f128_ps(best, best, 1), _mm256_permute2f128_ps(second, second, 1));
    fold(_mm256_permute_ps(best, 0x4e), _mm256_permute_ps(second, 0x4e));
    fold(_mm256_permute_ps(best, 0xb1), _mm256_permute_ps(second, 0xb1));
    least = _mm256_cvtss_f32(best);
    next = _mm256_cvtss_f32(second);
  }
  static float least(Vector a) {
    __m128 half = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_min_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_min_ss(half, _mm_movehdup_ps(half)));
  }
  template <bool negate>
  static Vector reduced(Vector a, Vector b) {
    return negate ? _mm256_fnmsub_ps(a, all(1.0f), b) : sub(a, b);
  }
  static std::uint32_t not_above(Vector a, Vector b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NGT_UQ)));
  }
  static std::uint32_t below(Vector a, Vector b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)));
  }
  static Vector keep_above(Vector a, Vector b) {
    return _mm256_blendv_ps(all(std::numeric_limits<float>::infinity()), a, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
  }
};

template <>
struct Lanes<double> {
  using Vector = __m256d;
  static constexpr int width = 4;
  static constexpr bool can_pack = false;
  static Vector load(const double* p) { return _mm256_loadu_pd(p); }
  static Vector load(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
  // The first `count` < width entries, then `fill`.
  template <class S>
  static Vector load_first(const S* p, int count, S fill) {
    S entries[width];
    for (int k = 0; k < width; ++k) entries[k] = k < count ? p[k] : fill;
    return load(entries);
  }
  static void store(double* p, Vector a) { _mm256_storeu_pd(p, a); }
  static Vector all(double a) { return _mm256_set1_pd(a); }
  static Vector add(Vector a, Vector b) { return _mm256_add_pd(a, b); }
  static Vector sub(Vector a, Vector b) { return _mm256_sub_pd(a, b); }
  static Vector with_sign(Vector a, Vector sign) { return _mm256_xor_pd(a, sign); }
  static Vector min(Vector a, Vector b) { return _mm256_min_pd(a, b); }
  static Vector max(Vector a, Vector b) { return _mm256_max_pd(a, b); }
  template <bool negate>
  static Vector reduced(Vector a, Vector b) {
    return negate ? _mm256_fnmsub_pd(a, all(1.0), b) : sub(a, b);
  }
  static Vector gather(const double* base, const std::int32_t* index) {
    return _mm256_set_pd(base[index[3]], base[index[2]], base[index[1]], base[index[0]]);
  }
  static Vector keep_above(Vector a, Vector b) {
    return _mm256_blendv_pd(all(std::numeric_limits<double>::infinity()), a, _mm256_cmp_pd(a, b, _CMP_GT_OQ));
  }
  static std::uint32_t bits_of(Vector mask) { return static_cast<std::uint32_t>(_mm256_movemask_pd(mask)); }
  static std::uint32_t not_above(Vector a, Vector b) { return bits_of(_mm256_cmp_pd(a, b, _CMP_NGT_UQ)); }
  static std::uint32_t below(Vector a, Vector b) { return bits_of(_mm256_cmp_pd(a, b, _CMP_LT_OQ)); }
  static std::uint32_t equal(Vector a, Vector b) { return bits_of(_mm256_cmp_pd(a, b, _CMP_EQ_OQ)); }
  static Vector mul(Vector a, Vector b) { return _mm256_mul_pd(a, b); }
  static void two_least(Vector best, Vector second, double& least, double& next) {
    const auto fold = [&](Vector low, Vector high) {
      second = min(max(best, low), min(second, high));
      best = min(best, low);
    };
    fold(_mm256_permute2f128_pd(best, best, 1), _mm256_permute2f128_pd(second, second, 1));
    fold(_mm256_permute_pd(best, 0x5), _mm256_permute_pd(second, 0x5));
    least = _mm256_cvtsd_f64(best);
    next = _mm256_cvtsd_f64(second);
  }
  static double least(Vector a) {
    const __m128d half = _mm_min_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_min_sd(half, _mm_unpackhi_pd(half, half)));
  }
  static Vector blend(Vector a, Vector b, std::uint32_t bits) {
    const __m256i lane_bit = _mm256_set_epi64x(8, 4, 2, 1);
    const __m256i chosen = _mm256_and_si256(_mm256_set1_epi64x(static_cast<long long>(bits)), lane_bit);
    return _mm256_blendv_pd(a, b, _mm256_castsi256_pd(_mm256_cmpeq_epi64(chosen, lane_bit)));
  }
  static void store_bits(std::int32_t* p, std::int32_t value, std::uint32_t bits) {
    const __m128i lane_bit = _mm_set_epi32(8, 4, 2, 1);
    const __m128i chosen = _mm_and_si128(_mm_set1_epi32(static_cast<int>(bits)), lane_bit);
    _mm_maskstore_epi32(p, _mm_cmpeq_epi32(chosen, lane_bit), _mm_set1_epi32(value));
  }
};

}  // namespace
