// Whole-row kernels of the dense solver: bids, and shortest paths over reduced costs in double.
#pragma once

#include "simd/kernels.hpp"
#include "simd/lanes.hpp"

namespace {

// Calls step(costs, j) for every vector of the row; the last one is padded with +inf as counted.
template <class T, class Step>
[[gnu::always_inline]] inline void for_each_vector(const T* run, T sign_mask, std::int64_t columns,
                                                   Step step) {
  using L = Lanes<double>;
  std::int64_t j = 0;
  for (; j + L::width <= columns; j += L::width) step(L::load(run + j), j);
  if (j == columns) return;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  step(L::load_first(run + j, static_cast<int>(columns - j), negates(sign_mask) ? -infinity : infinity), j);
}

template <class T, bool negate>
rebasin::simd::RowBid bid_row_signed(const T* run, T sign_mask, std::int64_t columns, const double* v) {
  using L = Lanes<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto lowest = L::all(-infinity);
  auto best = L::all(infinity);
  auto second = best;
  auto other_best = best;
  auto other_second = best;
  std::uint32_t invalid = 0;
  const auto step = [&](L::Vector cost, std::int64_t j, auto& low, auto& next) {
    const auto reduced = L::template reduced<negate>(cost, L::load(v + j));
    invalid |= L::not_above(reduced, lowest);
    next = L::min(L::max(reduced, low), next);
    low = L::min(reduced, low);
  };
  const std::int64_t paired = columns / (2 * L::width) * (2 * L::width);
  // Two chains, since each step waits for the one before.
  for (std::int64_t j = 0; j < paired; j += 2 * L::width) {
    step(L::load(run + j), j, best, second);
    step(L::load(run + j + L::width), j + L::width, other_best, other_second);
  }
  for_each_vector(run + paired, sign_mask, columns - paired,
                  [&](L::Vector cost, std::int64_t j) { step(cost, paired + j, best, second); });
  second = L::min(L::max(best, other_best), L::min(second, other_second));
  best = L::min(best, other_best);
  rebasin::simd::RowBid found{infinity, infinity, -1, invalid != 0};
  L::two_least(best, second, found.best, found.second);
  if (invalid != 0 || !(found.best < infinity)) return found;
  const auto wanted = L::all(found.best);
  for (std::int64_t j = 0; j + L::width <= columns; j += L::width) {
    const std::uint32_t here =
        L::equal(L::template reduced<negate>(L::load(run + j), L::load(v + j)), wanted);
    if (here == 0) continue;
    found.at = static_cast<std::int32_t>(j) + __builtin_ctz(here);
    return found;
  }
  for (std::int64_t j = columns / L::width * L::width; j < columns; ++j) {
    const double cost = negate ? -static_cast<double>(run[j]) : static_cast<double>(run[j]);
    if (cost - v[j] == found.best) {
      found.at = static_cast<std::int32_t>(j);
      break;
    }
  }
  return found;
}

template <class T>
rebasin::simd::RowBid bid_row(const T* run, T sign_mask, std::int64_t columns, const double* v) {
  return negates(sign_mask) ? bid_row_signed<T, true>(run, sign_mask, columns, v)
                            : bid_row_signed<T, false>(run, sign_mask, columns, v);
}

template <class T, bool negate>
void mark_equal_signed(const T* run, T sign_mask, std::int64_t columns, const double* v, double value,
                       std::uint64_t* masks) {
  using L = Lanes<double>;
  using rebasin::simd::block;
  const auto wanted = L::all(value);
  const auto mark = [&](L::Vector cost, std::int64_t j) -> std::uint64_t {
    return L::equal(L::template reduced<negate>(cost, L::load(v + j)), wanted);
  };
  const std::int64_t whole = columns / block * block;
  for (std::int64_t first = 0; first < whole; first += block) {
    std::uint64_t found = 0;
    for (int k = 0; k < block; k += L::width) found |= mark(L::load(run + first + k), first + k) << k;
    masks[first / block] = found;
  }
  if (whole == columns) return;
  std::uint64_t found = 0;
  for_each_vector(run + whole, sign_mask, columns - whole,
                  [&](L::Vector cost, std::int64_t k) { found |= mark(cost, whole + k) << k; });
  masks[whole / block] = found;
}

template <class T>
void mark_equal(const T* run, T sign_mask, std::int64_t columns, const double* v, double value,
                std::uint64_t* masks) {
  if (negates(sign_mask)) {
    mark_equal_signed<T, true>(run, sign_mask, columns, v, value, masks);
  } else {
    mark_equal_signed<T, false>(run, sign_mask, columns, v, value, masks);
  }
}

// The least of each group of 64 open distances, lane by lane: where a distance may be found again.
struct LeastOfGroups {
  using L = Lanes<double>;
  double* out;
  L::Vector group = L::all(std::numeric_limits<double>::infinity());
  L::Vector all = group;
  std::int64_t group_end = rebasin::simd::block;

  explicit LeastOfGroups(double* least) : out(least) {}

  [[gnu::always_inline]] void take(L::Vector distance, std::int64_t j) {
    if (j == group_end) close();
    group = L::min(distance, group);
  }
  void close() {
    L::store(out, group);
    out += L::width;
    all = L::min(group, all);
    group = L::all(std::numeric_limits<double>::infinity());
    group_end += rebasin::simd::block;
  }
  double finish() {
    close();
    return L::least(all);
  }
};

template <class T, bool negate>
double start_paths_signed(const T* run, T sign_mask, std::int64_t columns, const double* v, double* open,
                          double* least) {
  using L = Lanes<double>;
  LeastOfGroups groups(least);
  for_each_vector(run, sign_mask, columns, [&](L::Vector cost, std::int64_t j) {
    const auto reached = L::template reduced<negate>(cost, L::load(v + j));
    L::store(open + j, reached);
    groups.take(reached, j);
  });
  return groups.finish();
}

template <class T>
double start_paths(const T* run, T sign_mask, std::int64_t columns, const double* v, double* open,
                   double* least) {
  return negates(sign_mask) ? start_paths_signed<T, true>(run, sign_mask, columns, v, open, least)
                            : start_paths_signed<T, false>(run, sign_mask, columns, v, open, least);
}

template <class T, bool negate>
double extend_paths_signed(const T* run, T sign_mask, std::int64_t columns, const double* v, double offset,
                           std::int32_t row, double* open, std::int32_t* from, double* least) {
  using L = Lanes<double>;
  const auto start = L::all(offset);
  LeastOfGroups groups(least);
  for_each_vector(run, sign_mask, columns, [&](L::Vector cost, std::int64_t j) {
    const auto reached = L::add(L::template reduced<negate>(cost, L::load(v + j)), start);
    const auto before = L::load(open + j);
    const std::uint32_t nearer = L::below(reached, before);
    const auto now = L::min(reached, before);
    L::store(open + j, now);
    L::store_bits(from + j, row, nearer);
    groups.take(now, j);
  });
  return groups.finish();
}

template <class T>
double extend_paths(const T* run, T sign_mask, std::int64_t columns, const double* v, double offset,
                    std::int32_t row, double* open, std::int32_t* from, double* least) {
  return negates(sign_mask)
             ? extend_paths_signed<T, true>(run, sign_mask, columns, v, offset, row, open, from, least)
             : extend_paths_signed<T, false>(run, sign_mask, columns, v, offset, row, open, from, least);
}

inline std::int64_t collect_equal(const double* open, const double* least, std::int64_t columns, double value,
                                  std::int32_t* out) {
  using L = Lanes<double>;
  using rebasin::simd::block;
  const auto wanted = L::all(value);
  std::int64_t count = 0;
  for (std::int64_t first = 0; first < columns; first += block, least += L::width) {
    if (L::equal(L::load(least), wanted) == 0) continue;
    for (std::int64_t j = first; j < first + block; j += L::width) {
      std::uint32_t here = L::equal(L::load(open + j), wanted);
      for (; here != 0; here &= here - 1) out[count++] = static_cast<std::int32_t>(j) + __builtin_ctz(here);
    }
  }
  return count;
}

}  // namespace
