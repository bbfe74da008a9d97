// Copies unfolded columns of a tensor, or differences of columns, into a panel for BLAS.
#pragma once

#include <cstdint>
#include <vector>

#include "rebasin/dtype.hpp"

namespace rebasin {

// Offsets of columns, and the contiguous runs that they form: kernel taps, whole rows.
struct ColumnOffsets {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> run_lengths;
  bool in_runs = false;  // long enough to be copied a run at a time

  void find_runs(std::int64_t count) {
    constexpr std::int64_t least_mean_length = 4;
    run_lengths.clear();
    for (std::int64_t x = 0; x < count; ++x) {
      const auto k = static_cast<std::size_t>(x);
      if (x > 0 && offsets[k] == offsets[k - 1] + 1) {
        ++run_lengths.back();
      } else {
        run_lengths.push_back(1);
      }
    }
    in_runs = static_cast<std::int64_t>(run_lengths.size()) * least_mean_length <= count;
  }
};

// The source of a panel: entry (unit, copy, x) lies at source + units[unit * copies + copy] + columns[x];
// where `before` holds offsets, the entry there is subtracted.
struct PanelSource {
  const std::vector<std::int64_t>& units;
  const ColumnOffsets& columns;
  const ColumnOffsets& before;
  std::int64_t n;
  std::int64_t copies;
  std::int64_t count;
  bool units_adjacent;  // unit i + 1 follows unit i in memory
};

namespace packing {

template <bool subtract, class T, class Source>
void put(T& slot, Source value) {
  const T wide = static_cast<T>(widen(value));
  slot = subtract ? slot - wide : wide;
}

template <bool subtract, class T, class Source>
void put_row(const Source* unit, const ColumnOffsets& columns, std::int64_t count, T* row) {
  if (!columns.in_runs) {
    for (std::int64_t x = 0; x < count; ++x) {
      put<subtract>(row[x], unit[columns.offsets[x]]);
    }
    return;
  }
  std::size_t first = 0;
  for (const std::int64_t length : columns.run_lengths) {
    const Source* from = unit + columns.offsets[first];
    for (std::int64_t x = 0; x < length; ++x) put<subtract>(row[x], from[x]);
    row += length;
    first += static_cast<std::size_t>(length);
  }
}

template <bool subtract, class T, class Source>
void put_column(const Source* column, const PanelSource& side, std::int64_t copy, T* row) {
  if (side.units_adjacent) {
    column += side.units[0];
    for (std::int64_t i = 0; i < side.n; ++i) put<subtract>(row[i], column[i]);
    return;
  }
  for (std::int64_t i = 0; i < side.n; ++i) {
    put<subtract>(row[i], column[side.units[i * side.copies + copy]]);
  }
}

}  // namespace packing

// Unit after unit, each its columns (copy, x); else column after column, each its units.
template <class T, class Source>
void pack(const Source* source, const PanelSource& side, bool unit_major, T* panel) {
  const bool subtract = !side.before.offsets.empty();
  if (unit_major) {
    for (std::int64_t k = 0; k < side.n * side.copies; ++k) {
      const Source* unit = source + side.units[k];
      T* row = panel + k * side.count;
      packing::put_row<false>(unit, side.columns, side.count, row);
      if (subtract) packing::put_row<true>(unit, side.before, side.count, row);
    }
    return;
  }
  for (std::int64_t copy = 0; copy < side.copies; ++copy) {
    for (std::int64_t x = 0; x < side.count; ++x) {
      const auto k = static_cast<std::size_t>(x);
      T* row = panel + (copy * side.count + x) * side.n;
      packing::put_column<false>(source + side.columns.offsets[k], side, copy, row);
      if (subtract) packing::put_column<true>(source + side.before.offsets[k], side, copy, row);
    }
  }
}

}  // namespace rebasin
