// The first read of a batch's problem: the range of its entries, and the first duals.
#pragma once

#include <cstdint>

#include "cuda/batched/problem_memory.hpp"

namespace rebasin::cuda {

struct Survey {
  double least = infinity;  // of the finite entries
  double greatest = -infinity;
  int invalid = 0;
  int forbidden = 0;

  REBASIN_HD void see(double cost) {
    if (!(cost > -infinity)) {
      invalid = 1;  // NaN too
    } else if (cost == infinity) {
      forbidden = 1;
    } else {
      least = smaller(least, cost);
      greatest = larger(greatest, cost);
    }
  }
  REBASIN_HD bool constant() const { return forbidden == 0 && least == greatest; }
  REBASIN_HD double largest() const {
    return larger(least < 0.0 ? -least : least, greatest < 0.0 ? -greatest : greatest);
  }
};

struct Join {
  REBASIN_HD Survey operator()(Survey a, Survey b) const {
    return {smaller(a.least, b.least), larger(a.greatest, b.greatest), a.invalid | b.invalid,
            a.forbidden | b.forbidden};
  }
};

// Column minima over blocks of rows: few blocks of many rows, and many blocks of few.
struct Blocks {
  int coarse;
  int fine_per_coarse;
};

REBASIN_HD inline Blocks blocks_for(std::int64_t rows) {
  constexpr int coarse = 4;
  constexpr std::int64_t fewest_rows = 8;
  constexpr std::int64_t most_fine = 16;
  if (rows < coarse * fewest_rows) return {1, 1};
  const std::int64_t fine = smaller(rows / (coarse * fewest_rows), most_fine);
  return {coarse, static_cast<int>(fine)};
}

struct Mean {
  double sum = 0.0;
  double squares = 0.0;
  double count = 0.0;

  // A block without a finite entry does not count.
  REBASIN_HD void add(double minimum) {
    if (!(minimum < infinity)) return;
    sum += minimum;
    squares += minimum * minimum;
    count += 1.0;
  }
  REBASIN_HD double value() const { return count > 0.0 ? sum / count : 0.0; }
};

// Sums over columns, for the ratio of variances.
struct Spread {
  double within = 0.0;
  double total = 0.0;
  double squares = 0.0;
  double columns = 0.0;

  REBASIN_HD void add(const Mean& mean) {
    if (mean.count < 2.0) return;
    const double value = mean.value();
    within += larger(0.0, mean.squares / mean.count - value * value) / mean.count;
    total += value;
    squares += value * value;
    columns += 1.0;
  }
  // How much more the columns differ than blocks within a column would make them: about 1 for columns alike.
  REBASIN_HD double ratio() const {
    if (columns < 2.0 || !(within > 0.0)) return 1.0;
    return larger(0.0, squares - total * total / columns) / within;
  }
};

// Reads the matrix once, a column a thread; the means of its blocks' minima go to v or, where columns have
// scales of their own, those of the smaller blocks. Means of few minima suit columns alike. The caller rounds
// them to the grid.
template <class Team, class T>
REBASIN_HD Survey survey_costs(Team& team, const CostMatrix<T>& costs, ProblemMemory<T>& state) {
  constexpr double heterogeneous = 4.0;
  const Blocks blocks = blocks_for(costs.rows);
  const int fine_blocks = blocks.coarse * blocks.fine_per_coarse;
  Survey survey;
  Spread spread;
  for (std::int64_t j = team.rank(); j < costs.columns; j += team.size()) {
    Mean coarse;
    Mean fine;
    double coarse_minimum = infinity;
    for (int block = 0; block < fine_blocks; ++block) {
      double minimum = infinity;
      const std::int64_t last = costs.rows * (block + 1) / fine_blocks;
      for (std::int64_t i = costs.rows * block / fine_blocks; i < last; ++i) {
        const double cost = costs.at(i, j);
        survey.see(cost);
        minimum = smaller(minimum, cost);
      }
      fine.add(minimum);
      coarse_minimum = smaller(coarse_minimum, minimum);
      if ((block + 1) % blocks.fine_per_coarse == 0) {
        coarse.add(coarse_minimum);
        coarse_minimum = infinity;
      }
    }
    spread.add(fine);
    state.v[j] = coarse.value();
    state.open[j] = fine.value();
  }
  survey = team.reduce(survey, Join());
  Spread all;
  all.within = team.reduce(spread.within, Sum());
  all.total = team.reduce(spread.total, Sum());
  all.squares = team.reduce(spread.squares, Sum());
  all.columns = team.reduce(spread.columns, Sum());
  const bool use_fine = all.ratio() > heterogeneous;
  for (std::int64_t j = team.rank(); j < costs.columns && use_fine; j += team.size()) {
    state.v[j] = state.open[j];
  }
  return survey;
}

}  // namespace rebasin::cuda
