// The few vector operations that the kernels need, at the width of the level being compiled.
//
// Included by level.cpp only. Everything here has internal linkage and calls no function of the standard
// library: a weak symbol compiled for a new machine could otherwise be linked into code meant for an old one.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

template <class T>
struct Lanes;

// Whether the sign mask turns costs round.
template <class T>
bool negates(T flip) {
  return __builtin_signbit(flip) != 0;
}

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)

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
  static Vector flip(Vector a, Vector sign) { return _mm512_xor_ps(a, sign); }
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
  static Vector flip(Vector a, Vector sign) { return _mm512_xor_pd(a, sign); }
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

#elif defined(__AVX2__)

template <>
struct Lanes<float> {
  using Vector = __m256;
  static constexpr int width = 8;
  static constexpr bool can_pack = false;
  static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Vector a) { _mm256_storeu_ps(p, a); }
  static Vector all(float a) { return _mm256_set1_ps(a); }
  static Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector flip(Vector a, Vector sign) { return _mm256_xor_ps(a, sign); }
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
  static Vector flip(Vector a, Vector sign) { return _mm256_xor_pd(a, sign); }
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

#else

// Plain arrays; compilers turn them into whatever the machine's baseline has (SSE2, NEON).
template <class T>
struct Lanes {
  static constexpr int width = 4;
  static constexpr bool can_pack = false;
  struct Vector {
    T at[width];
  };
  template <class F>
  static Vector map(F f) {
    Vector r;
    for (int k = 0; k < width; ++k) r.at[k] = f(k);
    return r;
  }
  template <class F>
  static std::uint32_t test(F f) {
    std::uint32_t bits = 0;
    for (int k = 0; k < width; ++k) bits |= static_cast<std::uint32_t>(f(k)) << k;
    return bits;
  }
  template <class S>
  static Vector load(const S* p) {
    return map([&](int k) { return static_cast<T>(p[k]); });
  }
  // The first `count` < width entries, then `fill`.
  template <class S>
  static Vector load_first(const S* p, int count, S fill) {
    return map([&](int k) { return static_cast<T>(k < count ? p[k] : fill); });
  }
  static void store(T* p, Vector a) {
    for (int k = 0; k < width; ++k) p[k] = a.at[k];
  }
  static Vector all(T a) {
    return map([&](int) { return a; });
  }
  static Vector add(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] + b.at[k]; });
  }
  static Vector sub(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] - b.at[k]; });
  }
  static Vector mul(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] * b.at[k]; });
  }
  // Folds the lanes' best two into one pair, best <= second.
  static void two_least(Vector best, Vector second, T& least, T& next) {
    least = best.at[0];
    next = second.at[0];
    for (int k = 1; k < width; ++k) {
      const T other = best.at[k] > least ? best.at[k] : least;
      next = other < next ? other : next;
      next = second.at[k] < next ? second.at[k] : next;
      least = best.at[k] < least ? best.at[k] : least;
    }
  }
  // `sign` is 0.0 or -0.0 in every lane.
  static Vector flip(Vector a, Vector sign) {
    const bool negate = negates(sign.at[0]);
    return map([&](int k) { return negate ? -a.at[k] : a.at[k]; });
  }
  static Vector min(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] < b.at[k] ? a.at[k] : b.at[k]; });
  }
  template <bool negate>
  static Vector reduced(Vector a, Vector b) {
    return map([&](int k) { return (negate ? -a.at[k] : a.at[k]) - b.at[k]; });
  }
  static Vector max(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] > b.at[k] ? a.at[k] : b.at[k]; });
  }
  static Vector gather(const T* base, const std::int32_t* index) {
    return map([&](int k) { return base[index[k]]; });
  }
  static std::uint32_t not_above(Vector a, Vector b) {
    return test([&](int k) { return !(a.at[k] > b.at[k]); });
  }
  static Vector keep_above(Vector a, Vector b) {
    return map([&](int k) { return a.at[k] > b.at[k] ? a.at[k] : std::numeric_limits<T>::infinity(); });
  }
  static std::uint32_t below(Vector a, Vector b) {
    return test([&](int k) { return a.at[k] < b.at[k]; });
  }
  static std::uint32_t equal(Vector a, Vector b) {
    return test([&](int k) { return a.at[k] == b.at[k]; });
  }
  static T least(Vector a) {
    T r = a.at[0];
    for (int k = 1; k < width; ++k) r = a.at[k] < r ? a.at[k] : r;
    return r;
  }
  static Vector blend(Vector a, Vector b, std::uint32_t bits) {
    return map([&](int k) { return (bits >> k & 1u) != 0 ? b.at[k] : a.at[k]; });
  }
  static void store_bits(std::int32_t* p, std::int32_t value, std::uint32_t bits) {
    for (int k = 0; k < width; ++k) {
      if ((bits >> k & 1u) != 0) p[k] = value;
    }
  }
};

#endif

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
