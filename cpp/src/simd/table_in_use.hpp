// Which of the tables of kernels is in use: they are compiled once per instruction-set level, by a level.cpp.
#pragma once

#include <initializer_list>
#include <string>

#include "rebasin/simd.hpp"

// In the namespace of the tables, best first.
#if REBASIN_SIMD_X86
#define REBASIN_DECLARE_LEVEL_TABLES(Table) extern const Table kernels_v4, kernels_v3, kernels_v2
#define REBASIN_LEVEL_TABLES {&kernels_v4, &kernels_v3, &kernels_v2}
#else
#define REBASIN_DECLARE_LEVEL_TABLES(Table) extern const Table kernels_baseline
#define REBASIN_LEVEL_TABLES {&kernels_baseline}
#endif

namespace rebasin::simd {

// The table of the level that simd_level() names; the last where none has that name.
template <class Table>
const Table& table_in_use(std::initializer_list<const Table*> tables) {
  const std::string level = simd_level();
  for (const Table* table : tables) {
    if (level == table->level) return *table;
  }
  return **(tables.end() - 1);
}

}  // namespace rebasin::simd
