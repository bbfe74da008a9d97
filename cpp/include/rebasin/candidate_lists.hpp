// The assignment solver for a matrix in other memory, such as a GPU's: from candidate lists, and rows fetched
// on demand.
#pragma once

#include <cstdint>

#include "rebasin/assignment.hpp"

namespace rebasin {

inline constexpr int list_length = 24;

// Writes `row` of the matrix, as minimised, to `out`; false where it cannot. Called from the solving thread.
using FetchRow = bool (*)(void* context, std::int64_t row, void* out);

// Lists of the matrix's smallest cost - duals, row by row, as minimised; rows <= columns. Nothing is owned.
template <class T>
struct CandidateLists {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const T* costs = nullptr;                  // (rows, list_length), in any order, padded at the end with +inf
  const std::int32_t* columns_of = nullptr;  // (rows, list_length)
  const double* bounds = nullptr;  // (rows): at or below the rounded cost - duals of every other entry
  const double* duals = nullptr;   // (columns); of a rectangle all zero
  FetchRow fetch = nullptr;
  void* context = nullptr;
};

struct ListsResult {
  Status status = Status::ok;  // ok, interrupted or out_of_memory
  // The lists do not suffice (costs of too many magnitudes, forbidden entries, a gap that the dense solver
  // would improve, a row that could not be fetched): the whole matrix must be given to solve_assignment. The
  // solution is then unchanged.
  bool needs_matrix = false;
  std::int64_t fetched = 0;  // rows
};

// Solves as solve_assignment does, minimising, and proves the answer by the lists' bounds. Rows are fetched
// to rebuild a list whose bound no longer proves its best, at most once each.
//
// Entries must not be NaN or -inf, and not all equal. Memory: rows x columns entries of address space, of
// which only fetched rows are touched.
template <class T>
ListsResult solve_from_lists(const CandidateLists<T>& lists, AssignmentSolution& solution,
                             Interrupt& interrupt);

}  // namespace rebasin
