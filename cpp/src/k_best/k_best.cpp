#include "rebasin/k_best.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <new>
#include <utility>

#include "assignment/exact/totals.hpp"
#include "k_best/grid.hpp"
#include "k_best/search.hpp"
#include "k_best/tree.hpp"
#include "parallel_problems.hpp"

namespace rebasin {
namespace k_best {
namespace {

// Assignments beyond the k-th that are taken, so that totals nearer than the grid come in order.
constexpr std::int64_t extra_assignments = 1000;

// Exact totals of assignments.
class Totals {
 public:
  Totals(const Grid& grid, KBestCounters& counters) : grid_(grid), counters_(counters) {}

  double rounded(const Tree::Taken& taken) {
    double total = 0.0;
    if (grid_.totals_exact) {
      total = std::ldexp(static_cast<double>(taken.total), grid_.exponent);
    } else {
      terms_.clear();
      append(taken, 1.0);
      total = sum();
    }
    return (grid_.source.view.maximize ? -total : total) + 0.0;  // never -0.0
  }

  bool less(const Tree::Taken& a, const Tree::Taken& b) {
    if (a.total + grid_.slack <= b.total) return a.total < b.total;
    if (b.total + grid_.slack <= a.total) return false;
    return difference(a, b, 0.0) < 0.0;
  }

  // The sign is that of a's total - b's - margin, in real arithmetic.
  double difference(const Tree::Taken& a, const Tree::Taken& b, double margin) {
    ++counters_.compared;
    terms_.clear();
    append(a, 1.0);
    append(b, -1.0);
    terms_.push_back(-margin);
    return sum();
  }

 private:
  void append(const Tree::Taken& taken, double sign) {
    for (std::int64_t i = 0; i < grid_.rows; ++i) {
      grid_.source.append(i, taken.columns[i], sign, terms_);
    }
  }

  double sum() const {
    return assignment::exact_total(terms_.data(), static_cast<std::int64_t>(terms_.size()));
  }

  const Grid& grid_;
  KBestCounters& counters_;
  std::vector<double> terms_;
};

// Puts assignments from the tree in the order of their exact totals.
class Ranking {
 public:
  Ranking(const Grid& grid, Tree& tree, const KBestOptions& options, KBestSolution& solution)
      : grid_(grid), tree_(tree), options_(options), solution_(solution), totals_(grid, solution.counters) {}

  void run() {
    while (solution_.count < options_.k) {
      const std::int64_t bound = tree_.next_bound();
      if (waiting_.empty() && bound == Tree::none) return;
      if (waiting_.empty() || !is_next(bound)) {
        take();
      } else if (!give(bound)) {
        return;
      }
    }
  }

 private:
  // Whether no assignment in the tree can come before the first one pending, or enough were taken.
  bool is_next(std::int64_t bound) const {
    return bound == Tree::none || waiting_.front().total + grid_.slack <= bound ||
           taken_ >= options_.k + extra_assignments;
  }

  void take() {
    ++taken_;
    Tree::Taken taken = tree_.take(taken_ < options_.k || grid_.slack > 0);
    const auto less = [this](const Tree::Taken& a, const Tree::Taken& b) { return totals_.less(a, b); };
    const auto place = std::upper_bound(waiting_.begin(), waiting_.end(), taken, less);
    waiting_.insert(place, std::move(taken));
  }

  bool give(std::int64_t bound) {
    Tree::Taken taken = std::move(waiting_.front());
    waiting_.pop_front();
    if (solution_.count == 0) {
      best_ = taken;
    } else if (options_.within < std::numeric_limits<double>::infinity() &&
               totals_.difference(taken, best_, options_.within) > 0.0) {
      return false;
    }
    write(taken);
    const std::int64_t behind = bound == Tree::none ? 0 : taken.total + grid_.slack - bound;
    if (behind > 0) {
      const double gap = std::ldexp(static_cast<double>(behind), grid_.exponent);
      solution_.gap = std::max(solution_.gap, gap);
    }
    return true;
  }

  void write(const Tree::Taken& taken) {
    const bool transposed = grid_.source.transposed;
    const std::int64_t rows = transposed ? grid_.columns : grid_.rows;
    solution_.columns.resize((solution_.count + 1) * rows, -1);
    std::int64_t* columns = solution_.columns.data() + solution_.count * rows;
    for (std::int64_t i = 0; i < grid_.rows; ++i) {
      if (transposed) {
        columns[taken.columns[i]] = i;
      } else {
        columns[i] = taken.columns[i];
      }
    }
    solution_.objectives.push_back(totals_.rounded(taken));
    ++solution_.count;
  }

  const Grid& grid_;
  Tree& tree_;
  const KBestOptions& options_;
  KBestSolution& solution_;
  Totals totals_;
  std::deque<Tree::Taken> waiting_;  // by exact total
  Tree::Taken best_{};
  std::int64_t taken_ = 0;
};

Status solve(const AnyCostView& cost, const KBestOptions& options, KBestSolution& solution,
             Interrupt& interrupt) {
  solution = {};
  if (std::min(cost.rows, cost.columns) == 0) {
    solution.count = std::min<std::int64_t>(options.k, 1);
    solution.columns.assign(solution.count * cost.rows, -1);
    solution.objectives.assign(solution.count, 0.0);
    return Status::ok;
  }
  Grid grid;
  if (!read_grid(cost, grid)) return Status::invalid_entry;
  Search search(grid);
  Matching matching;
  const Status status = solve_root(grid, search, matching, interrupt);
  if (status != Status::ok) return status;
  Tree tree(grid, search, std::move(matching), options.k, interrupt);
  Ranking(grid, tree, options, solution).run();
  if (interrupt.requested()) return Status::interrupted;
  const auto held = [](double total) { return std::isfinite(total); };
  if (!std::all_of(solution.objectives.begin(), solution.objectives.end(), held)) return Status::overflow;
  if (!tree.proven()) solution.gap = std::numeric_limits<double>::infinity();
  solution.counters.nodes = tree.nodes();
  solution.counters.searches = search.searches;
  solution.counters.scanned_rows = search.scanned_rows;
  return Status::ok;
}

}  // namespace
}  // namespace k_best

Status k_best_assignments(const AnyCostView& cost, const KBestOptions& options, KBestSolution& solution,
                          Interrupt& interrupt) {
  try {
    return k_best::solve(cost, options, solution, interrupt);
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

void k_best_assignments(const AnyCostView* costs, std::int64_t count, const KBestOptions& options,
                        KBestSolution* solutions, Status* statuses, int threads, Interrupt& interrupt) {
  solve_on_threads(count, threads, statuses, interrupt, [&] {
    return [&](std::int64_t k, Interrupt& own) {
      return k_best_assignments(costs[k], options, solutions[k], own);
    };
  });
}

}  // namespace rebasin
