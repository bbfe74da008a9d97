// Cost matrices that own their entries, for the tests of the assignment solvers.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "rebasin/assignment.hpp"

template <class T>
struct Matrix {
  std::int64_t rows;
  std::int64_t columns;
  std::vector<T> entries;

  T at(std::int64_t i, std::int64_t j) const { return entries[static_cast<std::size_t>(i * columns + j)]; }

  rebasin::AnyCostView view(bool maximize = false) const {
    constexpr auto size = static_cast<std::int64_t>(sizeof(T));
    constexpr rebasin::DType dtype = std::is_same_v<T, std::int64_t>    ? rebasin::DType::int64
                                     : std::is_same_v<T, std::uint64_t> ? rebasin::DType::uint64
                                                                        : rebasin::floating_dtype<T>;
    return {entries.data(), dtype, false, rows, columns, columns * size, size, maximize};
  }
};

// Entries draw(i, j), row by row.
template <class T, class Draw>
Matrix<T> make_matrix(std::int64_t rows, std::int64_t columns, Draw draw) {
  Matrix<T> matrix{rows, columns, {}};
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) matrix.entries.push_back(static_cast<T>(draw(i, j)));
  }
  return matrix;
}

// A matrix of one of nine kinds: plain, few integers, of rank one, heavy-tailed, products of the indices,
// partly forbidden, equal rows, dominated by its diagonal, constant.
template <class T>
Matrix<T> draw_matrix(std::int64_t rows, std::int64_t columns, int kind, std::mt19937& random) {
  std::normal_distribution<double> normal;
  const auto factors = [&](std::int64_t count) {
    std::vector<double> drawn(static_cast<std::size_t>(count));
    for (double& factor : drawn) factor = kind == 3 ? std::exp(normal(random)) : normal(random);
    return drawn;
  };
  const std::vector<double> row = factors(rows);
  const std::vector<double> column = factors(columns);
  return make_matrix<T>(rows, columns, [&](std::int64_t i, std::int64_t j) {
    const double product = row[static_cast<std::size_t>(i)] * column[static_cast<std::size_t>(j)];
    if (kind == 1) return static_cast<double>(random() % 4);
    if (kind == 2) return product;
    if (kind == 3) return normal(random) * product;
    if (kind == 4) return static_cast<double>(i * j);
    if (kind == 5 && random() % 4 == 0) return std::numeric_limits<double>::infinity();
    if (kind == 6) return column[static_cast<std::size_t>(j)];
    if (kind == 7) return (i == j ? -4.0 : 0.0) + 0.1 * normal(random);
    return kind == 8 ? 2.0 : normal(random);
  });
}

// An interrupt that has asked to stop.
inline rebasin::Interrupt stopped() {
  rebasin::Interrupt interrupt([](void*) { return true; }, nullptr);
  while (!interrupt.requested()) {
  }
  return interrupt;
}
