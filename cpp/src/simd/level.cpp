// Compiled once per instruction-set level; REBASIN_SIMD_LEVEL names the level and its table.
#include "simd/block/block_auction.hpp"
#include "simd/block/block_search.hpp"
#include "simd/kernels.hpp"
#include "simd/lists/candidate_scan.hpp"
#include "simd/lists/record_search.hpp"
#include "simd/lists/threshold_scan.hpp"
#include "simd/rows/best_scan.hpp"
#include "simd/rows/column_minima.hpp"
#include "simd/rows/dense_search.hpp"
#include "simd/rows/extremes_scan.hpp"
#include "simd/rows/integer_rows.hpp"
#include "simd/rows/path_kernels.hpp"
#include "simd/rows/threshold_rows.hpp"
#include "simd/rows/tight_scan.hpp"

#define REBASIN_JOIN_(a, b) a##b
#define REBASIN_JOIN(a, b) REBASIN_JOIN_(a, b)
#define REBASIN_TEXT_(a) #a
#define REBASIN_TEXT(a) REBASIN_TEXT_(a)

namespace rebasin::simd {

extern const Kernels REBASIN_JOIN(kernels_, REBASIN_SIMD_LEVEL);
const Kernels REBASIN_JOIN(kernels_, REBASIN_SIMD_LEVEL) = {
    REBASIN_TEXT(REBASIN_SIMD_LEVEL),
    {lower_minima<float>, lower_reduced_minima<float>, add_minima<float>, scan<float>, scan_best<float>,
     two_best<float>, relax<float>, row_extremes<float>, bid_row<float>, mark_equal<float>,
     start_paths<float>, extend_paths<float>, collect_equal, row_least<float>, mark_tight<float>,
     solve_block<float>, scan_below<float>},
    {lower_minima<double>, lower_reduced_minima<double>, add_minima<double>, scan<double>, scan_best<double>,
     two_best<double>, relax<double>, row_extremes<double>, bid_row<double>, mark_equal<double>,
     start_paths<double>, extend_paths<double>, collect_equal, row_least<double>, mark_tight<double>,
     solve_block<double>, scan_below<double>},
    {relax_integers, find_integer, reduce_integers},
    {lower_row<float>, mark_at_most<float>},
    {lower_row<double>, mark_at_most<double>},
    {lower_row<std::int64_t>, mark_at_most<std::int64_t>},
};

}  // namespace rebasin::simd
