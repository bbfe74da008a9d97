// The thresholds of the sparse solver. The unit of work is a read: entries read, over all entries.
#pragma once

#include <cstdint>

namespace rebasin::sparse::tuning {

// Row reduction before anything else: enough for diagonals with few others, far from enough for random costs.
constexpr int first_rounds = 2;
constexpr double first_reads = 3.0;

// Shortest paths straight after it. They are given up for an auction when the entries read, or those
// that the free rows are expected to read at the mean of the last few, exceed these reads. Random costs of
// 1000 rows take 6 to 10, where the auction takes 25; of 10,000 rows 25 to 35, and the auction still 25.
constexpr double direct_reads = 14.0;
// Entries that they may read in any case: small problems are done by then.
constexpr std::int64_t fewest_direct_entries = 500'000;
constexpr std::int64_t searches_between_forecasts = 32;

// Bid increments of the auction, as quantiles of the positive gaps between the best and the second best entry
// of sampled rows, times a factor. The last one decides how many rows refinement must free.
constexpr std::int64_t sampled_rows = 1000;
constexpr double first_quantile = 0.75;
constexpr double first_factor = 10.0;
constexpr double last_quantile = 0.1;
constexpr double last_factor = 0.01;
constexpr double falling_factor = 5.0;
// Costs with a common unit: their optimal duals are multiples of it, and this fraction of it finds them.
constexpr std::int64_t unit_fraction = 64;
// A level that reads more has met a price war: its increment was too small, or the problem is infeasible. The
// first time it is tried again with a greater increment, and levels get longer; then the auction is given up.
constexpr double level_reads = 12.0;
constexpr double retry_factor = 25.0;
constexpr double retried_level_reads = 72.0;

// Label correcting visits a row this often before the row is freed.
constexpr int most_visits = 10;

// A joint search goes on while each one assigns this share of the free rows.
constexpr double joint_share = 0.02;
constexpr std::int64_t fewest_for_joint = 32;

}  // namespace rebasin::sparse::tuning
