// Whole-row kernels of the dense search and the certificate.
#pragma once

#include "simd/record_search.hpp"

namespace {

template <class T>
rebasin::simd::Widened widen(const T* run, T flip, std::int64_t columns, double* out) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto sign = L::all(flip);
  const auto huge = L::all(rebasin::simd::huge);
  std::uint32_t invalid = 0;
  std::uint32_t beyond = 0;
  const auto step = [&](const T* entries, double* to) {
    const auto cost = L::flip(L::load(entries), sign);
    invalid |= L::not_above(cost, L::all(-infinity));
    if (sizeof(T) == 8) {
      beyond |= L::below(cost, L::all(-rebasin::simd::huge));
      beyond |= L::below(huge, cost) & L::below(cost, L::all(infinity));
    }
    L::store(to, cost);
  };
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) step(run + j, out + j);
  if (j < columns) {
    T tail[L::width] = {};
    double widened[L::width];
    for (std::int64_t k = j; k < columns; ++k) tail[k - j] = run[k];
    step(tail, widened);
    for (std::int64_t k = j; k < columns; ++k) out[k] = widened[k - j];
  }
  return {invalid != 0, beyond != 0};
}

template <class T>
double relax(const T* run, T flip, double magic, double offset, std::int64_t columns, const double* w,
             std::int32_t row, double* open, std::int32_t* from) {
  using L = Lanes<double>;
  const auto sign = L::all(flip);
  const auto shift = L::all(magic);
  const auto start = L::all(offset);
  auto least = L::all(std::numeric_limits<double>::infinity());
  const auto step = [&](const T* entries, std::int64_t j) {
    const auto cost = to_grid(L::flip(L::load(entries), sign), shift);
    const auto reached = L::add(start, L::sub(cost, L::load(w + j)));
    const auto before = L::load(open + j);
    const std::uint32_t nearer = L::below(reached, before);
    const auto now = L::min(reached, before);
    L::store(open + j, now);
    if (nearer != 0) L::store_bits(from + j, row, nearer);
    least = L::min(now, least);
  };
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) step(run + j, j);
  if (j < columns) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    T tail[L::width];
    for (int k = 0; k < L::width; ++k) {
      tail[k] = j + k < columns ? run[j + k] : (negates(flip) ? -infinity : infinity);
    }
    step(tail, j);
  }
  return L::least(least);
}

template <class T>
rebasin::simd::TwoBest row_best(const T* run, T flip, std::int64_t columns, const double* v) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto sign = L::all(flip);
  auto best = L::all(infinity);
  auto second = best;
  auto other_best = best;
  auto other_second = best;
  const auto step = [&](std::int64_t j, auto& lead, auto& next) {
    const auto reduced = L::sub(L::flip(L::load(run + j), sign), L::load(v + j));
    next = L::min(L::max(reduced, lead), next);
    lead = L::min(reduced, lead);
  };
  const std::int64_t full = columns / L::width * L::width;
  std::int64_t first = 0;
  // Two chains, since each step waits for the one before.
  for (; first + 2 * L::width <= full; first += 2 * L::width) {
    step(first, best, second);
    step(first + L::width, other_best, other_second);
  }
  if (first < full) step(first, best, second);
  second = L::min(L::max(best, other_best), L::min(second, other_second));
  best = L::min(best, other_best);
  rebasin::simd::TwoBest found{L::least(best), infinity, 0};
  const std::uint32_t holders = L::equal(best, L::all(found.best));
  const auto others = L::blend(best, L::all(infinity), holders & (0u - holders));
  found.second = L::least(L::min(second, others));
  const auto take = [&found](double reduced) {
    if (reduced < found.best) {
      found.second = found.best;
      found.best = reduced;
    } else if (reduced < found.second) {
      found.second = reduced;
    }
  };
  const auto reduced_at = [&](std::int64_t j) {
    return (negates(flip) ? -static_cast<double>(run[j]) : static_cast<double>(run[j])) - v[j];
  };
  for (std::int64_t j = full; j < columns; ++j) take(reduced_at(j));
  const auto wanted = L::all(found.best);
  for (std::int64_t j = 0; j < full; j += L::width) {
    const std::uint32_t here = L::equal(L::sub(L::flip(L::load(run + j), sign), L::load(v + j)), wanted);
    if (here != 0) {
      found.at = static_cast<std::int32_t>(j) + __builtin_ctz(here);
      return found;
    }
  }
  for (std::int64_t j = full; j < columns; ++j) {
    if (reduced_at(j) == found.best) {
      found.at = static_cast<std::int32_t>(j);
      break;
    }
  }
  return found;
}

}  // namespace
