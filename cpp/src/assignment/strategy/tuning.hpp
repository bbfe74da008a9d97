// The thresholds of the strategy layer: the meaning of each, how it was measured, and the cost of a wrong
// one.
//
// Measured by `benchmarks/bench_everybody.py` (matrices from other programs' benchmarks) and
// `benchmarks/bench_assignment.py` (networks' matrices) on AVX-512 machines. A wrong threshold costs time,
// never exactness.
#pragma once

#include <cstdint>

namespace rebasin::assignment::tuning {

// Entries of the matrix that cost as much time as one bid on a candidate list. A list is three groups of
// eight, gathered; read entries cost 0.2 to 0.3 ns, a bid about 30 ns.
inline constexpr std::int64_t entries_per_bid = 96;

// The same for one list that a path search scans: up to 24 columns go through a heap.
inline constexpr std::int64_t entries_per_scanned_list = 128;

// Reads of the matrix, or their worth in bids, that candidate lists may take before the dense solver takes
// over: `list_reads + rows / rows_per_list_read`. Families that lists suit take 3 to 9 at n = 300 and 4 to 7
// at 1024; ordinary structured ones take 10 to 100. Too low: rank 4 and points in the plane at n >= 1024 go
// to the dense solver, 3 times slower. Too high: matrices that SciPy solves in one pass become slower than
// SciPy.
inline constexpr double list_reads = 7.5;
inline constexpr double rows_per_list_read = 120.0;

// Lists built anew, for each row: `rows / rows_per_refill`, `least_refills` at least. Families that lists
// suit need 0 to 1.2 at n = 300; points in the plane 6 at n = 1024, where the dense solver is slower still.
inline constexpr double least_refills = 1.25;
inline constexpr double rows_per_refill = 128.0;

// Reads that the second try of the lists may take, as a multiple of the first: path searches over whole rows
// take up to rows / 2 reads for each free row, beside which lists with a rising epsilon win on products of
// ranks.
inline constexpr double second_share = 11.0;
inline constexpr std::int64_t rows_to_try_lists_again = 1000;

// Share of rows left free by row reduction above which path searches over whole rows grow too large, and
// lists are tried (again). Products of ranks (Machol and Wien) leave nearly all, points in the plane a fifth.
inline constexpr double many_free_rows = 0.5;

// Epsilon scaling over whole rows, where row reduction leaves more than `many_free_rows`: the first epsilon
// and the last as parts of a row's typical spread (the last for each row), the factor between phases, and the
// most bids of a row in one phase. On products of ranks, Cauchy's matrices and Monge arrays of 100 to 800
// rows these take .47 of the reads of path searches alone (geometric mean); first epsilons of a 32nd take
// twice as many, a factor of 16 a fifth more.
inline constexpr double first_epsilon_of_spread = 2.0;
inline constexpr double last_epsilon_of_spread = 16.0;
inline constexpr double epsilon_falls_by = 4.0;
inline constexpr std::int64_t scaling_bids_per_row = 16;

// Up to this many columns whole rows are cheaper to search than lists are to build, but for heavy tails: at
// 200 square ones by .9 to .5 of the time, at 256 Gram and low rank are faster by lists. Nearly square
// rectangles gain up to 512 (points in the plane and rank 4 take half), Gram's and uniform ones lose a fifth
// there.
inline constexpr std::int64_t few_columns = 200;

// float64 squares of up to this many columns go to lists only where row reduction over whole rows leaves more
// than this share of the rows free: uniform and Gram matrices leave .04 to .06 (and take .7 to .9 of the
// lists' time at 256), decaying spectra and points in the plane .18, rank 4 .4.
inline constexpr std::int64_t fairly_few_columns = 300;
inline constexpr double few_free_rows = 0.12;

inline constexpr std::int64_t few_columns_of_rectangle = 512;
// The same where columns are twice as many as rows: lists gain little there, and lose much among ties.
inline constexpr std::int64_t few_columns_of_wide = 1024;

// Best columns of rows may coincide in `conflicts_allowed + rows / rows_per_conflict` rows before plain row
// minima are given up. Random rows conflict first after about sqrt(2 n) rows, the cost of a failed try:
// 2 % at n = 512.
inline constexpr std::int64_t conflicts_allowed = 2;
inline constexpr std::int64_t rows_per_conflict = 64;
inline constexpr double free_rows_after_minima = 0.125;

// Share of a sample's entries that equal its largest from which a matrix counts as one of few entries among a
// filler (penalties, gates, no overlap): then the dense solver is tried first.
inline constexpr double filler_share = 0.35;

// Share of entries equal to their neighbours from which a matrix counts as one of constant parts, such as the
// extension of a tracker's costs by a limit: column minima and row reduction then solve nearly all of it.
inline constexpr double constant_share = 0.3;

// Magnitude over range above which float64 entries are those of an offset: the grid of the lists, 49 bits
// below the magnitude, is then too coarse for a proof, and the dense solver's differences are exact.
inline constexpr double dominating_offset = 256.0;

// Mean range of a column, as a share of the whole range, below which columns have offsets of their own. Eight
// uniform entries of a column have .78, sums i + j half of it.
inline constexpr double column_range = 0.25;

// Mean difference of neighbours, as a share of the range, below which rows count as smooth: distances of
// sorted points, (i - j)^2. Normal entries have 0.17, uniform ones 0.33.
inline constexpr double smooth_step = 1.0 / 32.0;

// Columns for each row from which a rectangle's rows seldom compete: lists, which read float32 as it is, come
// first, unless there are too few rows for a gain.
inline constexpr std::int64_t wide = 2;
inline constexpr std::int64_t few_rows = 8;
inline constexpr std::int64_t too_few_rows_to_sample = 2;

// Rectangles with fewer rows than columns by this part at most are padded to squares, up to so many entries:
// only squares may start from column duals, and from epsilon scaling.
inline constexpr std::int64_t nearly_square = 16;
inline constexpr std::int64_t most_entries_padded = std::int64_t{1} << 22;

// Reads that aligned rows may take.
inline constexpr double aligned_reads = 2.5;

}  // namespace rebasin::assignment::tuning
