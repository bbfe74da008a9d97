// Small networks with a planted permutation, and a product for them, for tests of the descent.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "rebasin/descent.hpp"

namespace {

using namespace rebasin;

template <class T>
void naive_gemm(char* transa, char* transb, int* m, int* n, int* k, T* alpha, T* a, int* lda, T* b, int* ldb,
                T* beta, T* c, int* ldc) {
  for (int j = 0; j < *n; ++j) {
    for (int i = 0; i < *m; ++i) {
      T sum{0};
      for (int x = 0; x < *k; ++x) {
        sum += (*transa == 'N' ? a[x * *lda + i] : a[i * *lda + x]) *
               (*transb == 'N' ? b[j * *ldb + x] : b[x * *ldb + j]);
      }
      T& entry = c[j * *ldc + i];
      entry = *alpha * sum + (*beta == T{0} ? T{0} : *beta * entry);
    }
  }
}

std::uint16_t to_bfloat16(float value) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}

// Halves of small integers over 64 have an exact image in every storage type.
std::uint16_t to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t half = magnitude == 0 ? 0 : (magnitude >> 13) - (112u << 10);
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000u) | half);
}

// One value in every storage type, contiguous.
struct Weights {
  std::vector<double> doubles;
  std::vector<float> floats;
  std::vector<std::uint16_t> halves, bfloats;

  explicit Weights(const std::vector<double>& values) : doubles(values) {
    for (const double value : values) {
      floats.push_back(static_cast<float>(value));
      halves.push_back(to_half(static_cast<float>(value)));
      bfloats.push_back(to_bfloat16(static_cast<float>(value)));
    }
  }

  const void* data(DType dtype) const {
    switch (dtype) {
      case DType::float64:
        return doubles.data();
      case DType::float16:
        return halves.data();
      case DType::bfloat16:
        return bfloats.data();
      default:
        return floats.data();
    }
  }
};

// Multiples of 1/64 below 2: seven bits of mantissa, as bfloat16 has.
std::vector<double> random_values(std::int64_t count, std::mt19937& random) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) value = (static_cast<double>(random() % 255) - 127.0) / 64.0;
  return values;
}

Permutation iota(std::int64_t n) {
  Permutation units(static_cast<std::size_t>(n));
  std::iota(units.begin(), units.end(), 0);
  return units;
}

Permutation shuffled(std::int64_t n, std::mt19937& random) {
  Permutation units = iota(n);
  std::shuffle(units.begin(), units.end(), random);
  return units;
}

Move whole(std::int32_t permutation, std::int32_t axis, std::int64_t n) {
  return {{permutation}, axis, 1, iota(n)};
}

// Two layers, inputs -> hidden -> hidden -> outputs; B's hidden units are A's, shuffled.
struct Planted {
  static constexpr std::int64_t inputs = 40, hidden = 24, outputs = 33;
  std::vector<Weights> a, b;
  Permutation first, second;
  Problem problem;

  explicit Planted(DType dtype, unsigned seed = 0) {
    std::mt19937 random(seed);
    first = shuffled(hidden, random);
    second = shuffled(hidden, random);
    add({hidden, inputs}, {whole(0, 0, hidden)}, random);
    add({hidden}, {whole(0, 0, hidden)}, random);
    add({hidden, hidden}, {whole(1, 0, hidden), whole(0, 1, hidden)}, random);
    add({outputs, hidden}, {whole(1, 1, hidden)}, random);
    problem.permutations = {{hidden, {}}, {hidden, {}}};
    for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
      problem.tensors[t].dtype = dtype;
      problem.tensors[t].a = a[t].data(dtype);
      problem.tensors[t].b = b[t].data(dtype);
    }
  }

  double norm() const {
    double sum = 0.0;
    for (const Weights& weights : a) {
      for (const double value : weights.doubles) sum += value * value;
    }
    return sum;
  }

  void add(std::vector<std::int64_t> shape, std::vector<Move> moves, std::mt19937& random) {
    const std::int64_t columns = shape.size() > 1 ? shape[1] : 1;
    const std::vector<double> values = random_values(shape[0] * columns, random);
    std::vector<std::vector<std::int64_t>> sources{iota(shape[0]), iota(columns)};
    for (const Move& move : moves)
      sources[static_cast<std::size_t>(move.axis)] = move.permutations[0] ? second : first;
    std::vector<double> moved(values.size());
    for (std::int64_t i = 0; i < shape[0]; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        moved[static_cast<std::size_t>(i * columns + j)] = values[static_cast<std::size_t>(
            sources[0][static_cast<std::size_t>(i)] * columns + sources[1][static_cast<std::size_t>(j)])];
      }
    }
    a.emplace_back(values);
    b.emplace_back(moved);
    std::vector<std::int64_t> strides{1};
    if (shape.size() > 1) strides = {columns, 1};
    problem.tensors.push_back({nullptr, nullptr, DType::float32, shape, strides, strides, std::move(moves)});
  }
};

// The first network against the second's copy, which has nothing in common with it.
inline Problem unrelated_to(const Planted& one, const Planted& other) {
  Problem problem = one.problem;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) problem.tensors[t].b = other.problem.tensors[t].b;
  return problem;
}

inline DescentResult identity_of(const Problem& problem) {
  DescentResult result;
  for (const PermutationShape& shape : problem.permutations) result.permutations.push_back(iota(shape.size));
  return result;
}

// Coordinate descent from the identity, with the statistics of the run.
template <class T>
DescentResult descend(const Problem& problem, const DescentOptions& options, Status expected = Status::ok) {
  DescentResult result = identity_of(problem);
  Interrupt never;
  CHECK(coordinate_descent<T>(problem, naive_gemm<T>, options, result, never) == expected);
  return result;
}

inline DescentOptions sweeps(int count, std::vector<std::int32_t> order = {0, 1}) {
  DescentOptions options;
  options.next_order = [count, order = std::move(order)](std::int64_t sweep,
                                                         std::vector<std::int32_t>& next) {
    next = order;
    return sweep < count;
  };
  return options;
}

inline Permutation inverse(const Permutation& units) {
  Permutation result(units.size());
  for (std::size_t i = 0; i < units.size(); ++i)
    result[static_cast<std::size_t>(units[i])] = static_cast<std::int64_t>(i);
  return result;
}

}  // namespace
