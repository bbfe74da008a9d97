// The similarity of A's and B's units, everything else held where it is.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/gather.hpp"
#include "cost/pack.hpp"
#include "rebasin/blas.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

// The cost of products, summed over calls.
struct ProductCounters {
  double flop = 0.0;
  std::int64_t columns = 0;   // of unfolded tensors, or of differences of them, that were multiplied
  double packed_bytes = 0.0;  // written to panels; columns that BLAS reads in place are not packed
  double packing_seconds = 0.0;
};

// Sum over occurrences of unfold(A, axis) . unfold(pi(B), axis)^T, each restricted to the units' positions.
//
// Unfolded columns pass through panels of bounded size; where an operand already lies in memory as a matrix,
// BLAS reads it in place. One object serves many permutations and keeps its panels. Not thread-safe.
template <class T>
class Similarity {
 public:
  Similarity(const Problem& problem, Gemm<T> gemm) : problem_(problem), gemm_(gemm) {}

  // Overwrites `similarity`, (units, units) row-major, rows = A's units, columns = B's.
  Status compute(std::int64_t units, const std::vector<Occurrence>& occurrences, const Gather& gather,
                 T* similarity, Interrupt& interrupt);

  // A sum taken one occurrence at a time: begin(), add() or add_changes() any number of times, finish().
  // `empty`: the contents of `similarity` are overwritten.
  void begin(std::int64_t units, T* similarity, bool empty);
  Status add(const Occurrence& occurrence, const Gather& gather, Interrupt& interrupt);
  // The change since B's entries lay at `before`, one table an axis of the tensor: the product over the
  // columns that moved, of their differences. Costs their share of add().
  Status add_changes(const Occurrence& occurrence, const Gather& gather, const OffsetTables& before,
                     Interrupt& interrupt);
  Status finish(Interrupt& interrupt);

  const ProductCounters& counters() const { return counters_; }

 private:
  struct Operand {
    const T* data;
    std::int64_t leading;
    bool unit_major;  // unit after unit, columns contiguous; else column after column, units contiguous
  };
  struct Side {
    const void* data;
    std::vector<std::int64_t> units;  // offset of each (unit, copy)
    ColumnOffsets columns;            // of the present chunk
    ColumnOffsets before;             // where they lay; empty unless differences are computed
    std::vector<T> panel;
  };
  // The columns of an occurrence: offsets along every other axis, of A, of B, and of B as it was.
  struct Columns {
    std::vector<const std::vector<std::int64_t>*> a, b, before;
  };

  Status add_columns(const Occurrence& occurrence, const Columns& columns, Interrupt& interrupt);
  Operand operand(Side& side, DType dtype, std::int64_t copies, std::int64_t columns);
  void fill(Side& side, DType dtype, std::int64_t copies, std::int64_t columns, bool unit_major, T* panel);
  void collect(Side& side, DType dtype, std::int64_t copies, std::int64_t columns, std::vector<T>& panel);
  Status multiply(const Operand& a, const Operand& b, std::int64_t columns, Interrupt& interrupt);

  const Problem& problem_;
  Gemm<T> gemm_;
  std::int64_t units_ = 0;
  T* similarity_ = nullptr;
  bool empty_ = true;
  Side a_{}, b_{};
  std::vector<T> a_narrow_, b_narrow_;  // columns of small tensors, waiting for one product
  std::int64_t narrow_columns_ = 0;
  ProductCounters counters_;
};

}  // namespace rebasin
