// Column minima: of a few rows at a time, or of rows less their least entry.
#pragma once

#include "simd/lanes.hpp"

namespace {

template <class T>
void lower_minima(const T* const* runs, int count, T sign_mask, std::int64_t columns, T* minima) {
  using L = Lanes<T>;
  const auto sign = L::all(sign_mask);
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) {
    auto least = L::load(minima + j);
    for (int k = 0; k < count; ++k) least = L::min(L::with_sign(L::load(runs[k] + j), sign), least);
    L::store(minima + j, least);
  }
  const bool negate = negates(sign_mask);
  for (; j < columns; ++j) {
    for (int k = 0; k < count; ++k) {
      const T cost = negate ? -runs[k][j] : runs[k][j];
      minima[j] = cost < minima[j] ? cost : minima[j];
    }
  }
}

template <class T>
void add_minima(const T* minima, std::int64_t columns, T* sum, T* squares, T* blocks) {
  using L = Lanes<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const auto zero = L::all(T(0));
  const auto one = L::all(T(1));
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) {
    const auto least = L::load(minima + j);
    const std::uint32_t finite = L::below(least, L::all(infinity));
    const auto value = L::blend(zero, least, finite);
    L::store(sum + j, L::add(L::load(sum + j), value));
    L::store(squares + j, L::add(L::load(squares + j), L::mul(value, value)));
    L::store(blocks + j, L::add(L::load(blocks + j), L::blend(zero, one, finite)));
  }
  for (; j < columns; ++j) {
    const bool finite = minima[j] < infinity;
    const T value = finite ? minima[j] : T(0);
    const T square = value * value;
    sum[j] += value;
    squares[j] += square;
    blocks[j] += finite ? T(1) : T(0);
  }
}

template <class T, bool negate>
double lower_reduced_minima_signed(const T* run, std::int64_t columns, double* minima) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr int chains = 4;  // a step waits for the one before
  constexpr std::int64_t group = chains * L::width;
  const auto zero = L::all(0.0);
  const auto cost_at = [&](std::int64_t j) { return L::template reduced<negate>(L::load(run + j), zero); };
  const std::int64_t full = columns / L::width * L::width;
  const std::int64_t grouped = columns / group * group;
  const T padding = negate ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
  const auto tail =
      L::template reduced<negate>(L::load_first(run + full, static_cast<int>(columns - full), padding), zero);
  typename L::Vector low[chains];
  low[0] = L::min(tail, L::all(infinity));
  for (int k = 1; k < chains; ++k) low[k] = low[0];
  for (std::int64_t j = 0; j < grouped; j += group) {
    for (int k = 0; k < chains; ++k) low[k] = L::min(cost_at(j + k * L::width), low[k]);
  }
  for (std::int64_t j = grouped; j < full; j += L::width) low[0] = L::min(cost_at(j), low[0]);
  const double least = L::least(L::min(L::min(low[0], low[1]), L::min(low[2], low[3])));
  if (!(least > -infinity && least < infinity)) return least;
  const auto offset = L::all(least);
  const auto lower = [&](L::Vector cost, std::int64_t j) {
    L::store(minima + j, L::min(L::sub(cost, offset), L::load(minima + j)));
  };
  for (std::int64_t j = 0; j < full; j += L::width) lower(cost_at(j), j);
  if (full < columns) lower(tail, full);
  return least;
}

template <class T>
double lower_reduced_minima(const T* run, T sign_mask, std::int64_t columns, double* minima) {
  return negates(sign_mask) ? lower_reduced_minima_signed<T, true>(run, columns, minima)
                            : lower_reduced_minima_signed<T, false>(run, columns, minima);
}

}  // namespace
