// Cost matrices that own their entries, for the tests of the assignment solvers.
#pragma once

#include <cstdint>
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

// An interrupt that has asked to stop.
inline rebasin::Interrupt stopped() {
  rebasin::Interrupt interrupt([](void*) { return true; }, nullptr);
  while (!interrupt.requested()) {
  }
  return interrupt;
}
