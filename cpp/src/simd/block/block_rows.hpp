// Problems of up to 64 columns: a whole row of reduced costs in a few registers.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

using rebasin::simd::BlockProblem;

inline constexpr std::uint64_t one_bit = 1;
inline constexpr int most_blocks = 4;

inline int lowest_bit(std::uint64_t bits) {
  return __builtin_ctzll(bits);
}

// `width` entries of S, in registers.
template <class S, int width>
struct Line {
  using L = Lanes<S>;
  static constexpr int parts = width / L::width;
  typename L::Vector part[parts];

  template <class Entry>
  static Line load(const Entry* p) {
    Line line;
    for (int k = 0; k < parts; ++k) line.part[k] = L::load(p + k * L::width);
    return line;
  }
  static Line all(S value) {
    Line line;
    for (int k = 0; k < parts; ++k) line.part[k] = L::all(value);
    return line;
  }
  void store(S* p) const {
    for (int k = 0; k < parts; ++k) L::store(p + k * L::width, part[k]);
  }

  Line minus(const Line& other) const {
    Line line;
    for (int k = 0; k < parts; ++k) line.part[k] = L::sub(part[k], other.part[k]);
    return line;
  }
  Line plus(S value) const {
    Line line;
    for (int k = 0; k < parts; ++k) line.part[k] = L::add(part[k], L::all(value));
    return line;
  }

  S least() const {
    auto low = part[0];
    for (int k = 1; k < parts; ++k) low = L::min(low, part[k]);
    return L::least(low);
  }

  std::uint64_t where_equal(S value) const {
    std::uint64_t bits = 0;
    for (int k = 0; k < parts; ++k) {
      bits |= static_cast<std::uint64_t>(L::equal(part[k], L::all(value))) << (k * L::width);
    }
    return bits;
  }

  std::uint64_t where_below(const Line& other) const {
    std::uint64_t bits = 0;
    for (int k = 0; k < parts; ++k) {
      bits |= static_cast<std::uint64_t>(L::below(part[k], other.part[k])) << (k * L::width);
    }
    return bits;
  }

  // The entries whose bit is set become those of `other`.
  void replace(const Line& other, std::uint64_t bits) {
    for (int k = 0; k < parts; ++k) {
      part[k] =
          L::blend(part[k], other.part[k], static_cast<std::uint32_t>(bits >> (k * L::width)) & lane_bits);
    }
  }
  void replace(S value, std::uint64_t bits) { replace(all(value), bits); }

  static constexpr std::uint32_t lane_bits = (1u << L::width) - 1;
};

// The least and the second least of a row; the second is the least again if two entries share it.
template <class S, int width>
void two_least(const Line<S, width>& line, S& best, S& second) {
  using L = Lanes<S>;
  auto low = line.part[0];
  auto next = L::all(std::numeric_limits<S>::infinity());
  for (int k = 1; k < Line<S, width>::parts; ++k) {
    next = L::min(L::max(line.part[k], low), next);
    low = L::min(line.part[k], low);
  }
  L::two_least(low, next, best, second);
}

// Columns whose mean is of another magnitude than their least: the mean is then one block's alone.
template <class T, int width>
std::uint64_t far_apart(const Line<T, width>& least, const Line<T, width>& mean) {
  using L = Lanes<T>;
  std::uint64_t bits = 0;
  for (int k = 0; k < Line<T, width>::parts; ++k) {
    const auto scaled = L::mul(least.part[k], L::all(T(256)));
    const std::uint32_t here = L::below(scaled, mean.part[k]) & L::below(L::all(T(0)), scaled);
    bits |= static_cast<std::uint64_t>(here) << (k * L::width);
  }
  return bits;
}

// First duals: the mean of a column's minima over the blocks of rows. Where blocks tie, as integers do, the
// least of all keeps the ties, and with them most of the optimum.
template <class T, int width>
Line<T, width> average_minima(const Line<T, width>* minima, int blocks, int columns) {
  using L = Lanes<T>;
  using Row = Line<T, width>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T share = T(1) / static_cast<T>(blocks);
  auto least = minima[0];
  auto mean = Row::all(T(0));
  for (int b = 0; b < blocks; ++b) {
    for (int k = 0; k < Row::parts; ++k) {
      least.part[k] = L::min(least.part[k], minima[b].part[k]);
      mean.part[k] = L::add(mean.part[k], L::mul(minima[b].part[k], L::all(share)));
    }
  }
  int hits = 0;
  for (int b = 0; b < blocks; ++b) {
    for (int k = 0; k < Row::parts; ++k) {
      hits += __builtin_popcount(L::equal(minima[b].part[k], least.part[k]));
    }
  }
  if ((hits - blocks * (width - columns)) * 2 > columns * 3) return least;
  if (blocks > 1 && __builtin_popcountll(far_apart(least, mean)) * 2 > columns) return least;
  mean.replace(least, mean.where_equal(infinity));  // some block forbids all of the column
  return mean;
}

// The caller's costs, checked, negated to maximise, padded with +inf; first duals from `blocks`
// blocks of rows. False where an entry is invalid.
template <class T, int width>
bool load_block(const T* const* runs, T sign_mask, int blocks, BlockProblem<T>& problem) {
  using L = Lanes<T>;
  using Row = Line<T, width>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const auto sign = L::all(sign_mask);
  const bool whole = problem.columns == width;
  std::uint32_t invalid = 0;
  std::uint32_t overflows = 0;
  Row minima[most_blocks];
  int i = 0;
  for (int b = 0; b < blocks; ++b) {
    auto least = Row::all(infinity);
    for (const int last = problem.rows * (b + 1) / blocks; i < last; ++i) {
      T* row = problem.cost + i * width;
      const T* from = runs[i];
      if (!whole) {
        for (int j = 0; j < problem.columns; ++j) row[j] = from[j];
        for (int j = problem.columns; j < width; ++j) row[j] = negates(sign_mask) ? -infinity : infinity;
        from = row;
      }
      for (int k = 0; k < Row::parts; ++k) {
        const auto cost = L::with_sign(L::load(from + k * L::width), sign);
        invalid |= L::not_above(cost, L::all(-infinity));
        if constexpr (sizeof(T) == 8) {
          overflows |= L::below(cost, L::all(-rebasin::simd::huge));
          overflows |= L::below(L::all(rebasin::simd::huge), cost) & L::below(cost, L::all(infinity));
        }
        least.part[k] = L::min(cost, least.part[k]);
        L::store(row + k * L::width, cost);
      }
    }
    minima[b] = least;
  }
  average_minima<T, width>(minima, blocks, problem.columns).store(problem.start);
  problem.overflows = overflows != 0;
  return invalid == 0;
}

}  // namespace
