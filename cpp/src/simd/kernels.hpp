// The vector kernels of the assignment solver, one table per instruction-set level.
//
// All levels give bit-identical results. Kernels are pure functions of their arguments, thread-safe, and
// throw nothing. An entry of cost counts as `sign_mask ^ entry`, where sign_mask is -0.0 to maximise and 0.0
// to minimise.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

namespace rebasin::simd {

inline constexpr int block = 64;            // columns in one mask word
inline constexpr int record_capacity = 24;  // entries of a candidate list
inline constexpr int record_groups = record_capacity / 8;
inline constexpr int scan_capacity = 64;  // entries that one scan of a row may return

// Columns padded to whole blocks, as the kernels read duals and distances.
inline std::int64_t whole_blocks(std::int64_t columns) {
  return (columns + block - 1) / block * block;
}

// The candidates of one row: its smallest reduced costs when it was scanned, and a bound on all others.
template <class T>
struct alignas(64) Record {
  T cost[record_capacity];  // as counted (sign_mask applied), ascending by reduced cost; +inf pads
  std::int32_t column[record_capacity];  // 0 pads
  double group_bound[record_groups];     // at or below the reduced cost of every entry from this group on
  double bound;                          // at or below the reduced cost of every unlisted entry
};

struct TwoBest {
  double best;      // +inf when the record is empty
  double second;    // the second entry's own reduced cost, equal to best on a tie; +inf if there is none
  std::int32_t at;  // position of the best entry
};

// The entries that a scan of a row found, ascending by reduced cost; padded to record_capacity as a record
// is.
template <class T>
struct Scan {
  std::int32_t count;  // entries found, at most scan_capacity
  bool invalid;        // NaN or -inf among them
  T threshold;         // every entry not returned is at or above it
  std::int32_t column[scan_capacity];
  T cost[scan_capacity];     // as counted (sign_mask applied)
  T reduced[scan_capacity];  // cost - v, rounded to T
};

struct RowBid {
  double best;      // the least reduced cost of a row; +inf where every entry is forbidden
  double second;    // the least of any other column, equal to best on a tie
  std::int32_t at;  // the first column of the best, -1 where there is none
  bool invalid;     // NaN or -inf among the reduced costs
};

struct Tight {
  double least;  // a row's least reduced cost, rounded
  bool below;    // some entry that rounds to it lies below it
  bool invalid;  // NaN or -inf among the reduced costs
};

struct Extremes {
  double least;    // +inf where every entry is forbidden
  double largest;  // finite; -inf where there is none
  double second;   // the largest below the guess; -inf where there is none
  bool invalid;    // NaN or -inf among the costs
};

// Costs of this magnitude and more are scaled down, lest their sums overflow.
inline constexpr double huge = 0x1p1000;

enum class BlockFound : std::int32_t { optimum, infeasible, invalid, overflows };

// A problem of rows <= columns <= 64 and the room to solve it in.
template <class T>
struct BlockProblem {
  int rows;
  int columns;
  BlockFound found;
  bool overflows;                     // sums of costs could overflow
  alignas(64) T cost[block * block];  // rows of 16, 32 or 64 entries
  alignas(64) T start[block];
  alignas(64) double v[block];
  double least[block];            // per row: its least reduced cost, rounded
  std::uint64_t holders[block];   // per row: the columns where it is met
  std::int32_t column_of[block];  // per row
  std::int32_t row_of[block];     // per column, -1 if none
};

template <class T>
struct KernelsFor {
  // minima[j] = min(minima[j], sign_mask ^ runs[k][j]) over `count` <= 8 runs; NaN is passed over.
  void (*lower_minima)(const T* const* runs, int count, T sign_mask, std::int64_t columns, T* minima);
  // minima[j] = min(minima[j], (sign_mask ^ run[j]) - least) in double, where least, the row's least entry,
  // is finite; returns it. `minima` is padded to whole blocks; NaN is passed over.
  double (*lower_reduced_minima)(const T* run, T sign_mask, std::int64_t columns, double* minima);
  // Adds each finite minimum, its square and a one to the sums of its column.
  void (*add_minima)(const T* minima, std::int64_t columns, T* sum, T* squares, T* blocks);
  // Finds some 14 to 24 columns of smallest (sign_mask ^ run[j]) - v[j], more or fewer where ties, forbidden
  // entries or short rows make it so. `v` is padded to a multiple of `block`; `masks` holds columns / block +
  // 1 words. Among too many ties the columns from `start` on, cyclically, are preferred. `guess` is null or
  // points to a threshold to try first: the one read that it takes is enough where it leaves a list.
  void (*scan)(const T* run, const T* v, T sign_mask, std::int64_t columns, std::int64_t start,
               const T* guess, const T* next, std::uint64_t* masks, Scan<T>& found);
  // Finds the smallest alone, with the second smallest as the bound, or nothing where they are nearly tied.
  void (*scan_best)(const T* run, const T* v, T sign_mask, std::int64_t columns, const T* next,
                    Scan<T>& found);
  // The two smallest round(cost) - v[column]; stops at a group that cannot matter.
  TwoBest (*two_best)(const Record<T>& record, const double* v, double magic);
  // open[j] = min(open[j], offset + round(cost) - w[j]), remembering `row` in `from` where it fell; returns
  // the least of open. Arrays are padded to a multiple of 8 with open = +inf, w = 0.
  double (*relax)(const T* run, T sign_mask, double magic, double offset, std::int64_t columns,
                  const double* w, std::int32_t row, double* open, std::int32_t* from);
  // The extremes of sign_mask ^ run[j] in double.
  Extremes (*row_extremes)(const T* run, T sign_mask, std::int64_t columns, double guess);
  // The two smallest (sign_mask ^ run[j]) - v[j] in double, the first column of the best, and whether an
  // entry is invalid. `v` is padded to a multiple of 8.
  RowBid (*bid_row)(const T* run, T sign_mask, std::int64_t columns, const double* v);
  // A bit for every column where (sign_mask ^ run[j]) - v[j] in double equals the value.
  void (*mark_equal)(const T* run, T sign_mask, std::int64_t columns, const double* v, double value,
                     std::uint64_t* masks);
  // open[j] = (sign_mask ^ run[j]) - v[j]; returns the least. `open` is padded to whole blocks with +inf;
  // `least` holds 8 distances a block, among them the least of the block.
  double (*start_paths)(const T* run, T sign_mask, std::int64_t columns, const double* v, double* open,
                        double* least);
  // open[j] = min(open[j], offset + (sign_mask ^ run[j]) - v[j]), remembering `row` in `from` where it fell;
  // returns the least of open.
  double (*extend_paths)(const T* run, T sign_mask, std::int64_t columns, const double* v, double offset,
                         std::int32_t row, double* open, std::int32_t* from, double* least);
  // Writes the columns whose open equals the value, ascending, and returns how many.
  std::int64_t (*collect_equal)(const double* open, const double* least, std::int64_t columns, double value,
                                std::int32_t* out);
  // A row's least (sign_mask ^ run[j]) - v[j] in double, of costs that are valid.
  Tight (*row_least)(const T* run, T sign_mask, std::int64_t columns, const double* v);
  // The same, whether an entry is invalid, and a bit for every column where it is met.
  Tight (*mark_tight)(const T* run, T sign_mask, std::int64_t columns, const double* v, std::uint64_t* masks);
  // Solves a whole problem of up to 64 columns, given by its rows. `overflows` where sums of costs
  // could overflow.
  void (*solve_block)(const T* const* runs, T sign_mask, BlockProblem<T>& problem);
  // Finds all columns of (sign_mask ^ run[j]) - v[j] at or below the threshold; none where a record has no
  // room.
  void (*scan_below)(const T* run, const T* v, T sign_mask, std::int64_t columns, T threshold, const T* next,
                     std::uint64_t* masks, Scan<T>& found);
};

// Rows of integer costs on a grid, for the k best assignments; padded to a multiple of `integer_lanes`.
inline constexpr std::int64_t integer_lanes = 8;
struct IntegerKernels {
  // open[j] = min(open[j], cost[j] - v[j] + base); returns the least open[j].
  std::int64_t (*relax)(const std::int64_t* cost, const std::int64_t* v, std::int64_t base,
                        std::int64_t* open, std::int64_t count);
  // The first j with open[j] == value; there is one.
  std::int64_t (*find)(const std::int64_t* open, std::int64_t value);
  // minima[j] = min(minima[j], cost[j] - v[j] - u); returns the least cost[j] - v[j] - u.
  std::int64_t (*reduce)(const std::int64_t* cost, const std::int64_t* v, std::int64_t u,
                         std::int64_t* minima, std::int64_t count);
};

template <class T>
struct RowLeast {
  T least;   // +inf, or the largest integer, where the row has no entry
  bool nan;  // some entry is NaN
};

// Rows of costs that are compared only, for the bottleneck assignment.
template <class T>
struct ThresholdKernels {
  // minima[j] = min(minima[j], row[j]); returns the least row[j].
  RowLeast<T> (*lower)(const T* row, T* minima, std::int64_t count);
  // Bit j of `bits` says whether row[j] <= threshold; bits beyond `count` in the last word are zero.
  void (*mark)(const T* row, T threshold, std::uint64_t* bits, std::int64_t count);
};

struct Kernels {
  const char* level;
  KernelsFor<float> float32;
  KernelsFor<double> float64;
  IntegerKernels integer;
  ThresholdKernels<float> float32_thresholds;
  ThresholdKernels<double> float64_thresholds;
  ThresholdKernels<std::int64_t> int64_thresholds;
};

// The best level that this machine runs, or the one that the environment variable REBASIN_FAST_SIMD names.
const Kernels& active();

// Levels compiled in that this machine runs, best first.
std::vector<const Kernels*> available();

template <class T>
const KernelsFor<T>& select(const Kernels& kernels) {
  if constexpr (sizeof(T) == 4) {
    return kernels.float32;
  } else {
    return kernels.float64;
  }
}

template <class T>
const KernelsFor<T>& kernels() {
  return select<T>(active());
}

template <class T>
const ThresholdKernels<T>& threshold_kernels() {
  if constexpr (std::is_integral_v<T>) {
    return active().int64_thresholds;
  } else if constexpr (sizeof(T) == 4) {
    return active().float32_thresholds;
  } else {
    return active().float64_thresholds;
  }
}

}  // namespace rebasin::simd
