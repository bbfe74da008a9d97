#include <algorithm>
#include <limits>

#include "assignment/dense/stages.hpp"

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
class RowPaths {
 public:
  explicit RowPaths(DenseProblem<T>& problem) : problem_(problem) { make_room(); }

  // Dijkstra's search from a free row; all columns equally near are scanned together.
  Attempt augment(std::int64_t root) {
    ++problem_.counters.augmentations;
    root_ = root;
    scanned_.clear();
    std::fill(from_.begin(), from_.end(), static_cast<std::int32_t>(root));
    double nearest = problem_.kernels.start_paths(problem_.row(root), problem_.sign_mask, problem_.columns,
                                                  problem_.state.v.data(), open_.data(), least_.data());
    double reached = -infinity;
    double unmatched = problem_.price;  // the shortest path to a row that is left unmatched
    std::int64_t giving_up = root;
    for (;;) {
      if (problem_.stop_requested()) return restore(Attempt::interrupted);
      if (!(nearest < unmatched)) {
        return unmatched < infinity ? finish_unmatched(giving_up, unmatched) : restore(Attempt::infeasible);
      }
      // Rounding may offer a path shorter than its own beginning.
      reached = std::max(reached, nearest);
      const std::int64_t count = problem_.kernels.collect_equal(open_.data(), least_.data(), problem_.columns,
                                                                nearest, found_.data());
      for (std::int64_t k = 0; k < count; ++k) {
        if (problem_.state.row_of[found_[k]] == unassigned) return finish(found_[k], reached);
      }
      double least = infinity;
      for (std::int64_t k = 0; k < count; ++k) close(found_[k], reached);
      for (std::int64_t k = 0; k < count; ++k) {
        const Scanned& closed = scanned_[scanned_.size() - count + k];
        const std::int64_t i = problem_.state.row_of[closed.column];
        const double offset = reached - (problem_.pair_cost[i] - closed.dual);
        if (offset + problem_.price < unmatched) {
          unmatched = std::max(offset + problem_.price, reached);
          giving_up = i;
        }
        ++problem_.counters.scanned_rows;
        least = problem_.kernels.extend_paths(problem_.row(i), problem_.sign_mask, problem_.columns,
                                              problem_.state.v.data(), offset, static_cast<std::int32_t>(i),
                                              open_.data(), from_.data(), least_.data());
      }
      nearest = least;
    }
  }

 private:
  void make_room() {
    open_.assign(simd::whole_blocks(problem_.columns), infinity);
    least_.resize(simd::whole_blocks(problem_.columns) / 8 + 8);
    from_.resize(simd::whole_blocks(problem_.columns));
    found_.resize(problem_.columns);
  }

  // A column at its final distance leaves the search: at a dual of -inf every path to it is +inf long.
  void close(std::int32_t column, double distance) {
    scanned_.push_back({column, distance, problem_.state.v[column]});
    problem_.state.v[column] = -infinity;
    open_[column] = infinity;
  }

  Attempt finish(std::int64_t column, double reached) {
    lower_duals(reached);
    augment_along_path(column);
    return Attempt::solved;
  }

  Attempt finish_unmatched(std::int64_t row, double reached) {
    lower_duals(reached);
    const std::int64_t column = problem_.state.column_of[row];
    problem_.state.column_of[row] = unassigned;
    if (row != root_) augment_along_path(column);
    return Attempt::solved;
  }

  void lower_duals(double reached) {
    for (const Scanned& closed : scanned_) {
      problem_.state.v[closed.column] = closed.dual + (closed.distance - reached);
    }
  }

  Attempt restore(Attempt attempt) {
    for (const Scanned& closed : scanned_) problem_.state.v[closed.column] = closed.dual;
    return attempt;
  }

  void augment_along_path(std::int64_t column) {
    for (;;) {
      const std::int64_t row = from_[column];
      const std::int64_t next = problem_.state.column_of[row];
      problem_.assign(row, column);
      if (row == root_) return;
      column = next;
    }
  }

  struct Scanned {
    std::int32_t column;
    double distance;
    double dual;
  };

  DenseProblem<T>& problem_;
  std::vector<double> open_;   // distance of each column reached; +inf if not, or once it is scanned
  std::vector<double> least_;  // of open_, a block at a time
  std::vector<std::int32_t> from_;
  std::vector<std::int32_t> found_;
  std::vector<Scanned> scanned_;
  std::int64_t root_ = unassigned;
};

}  // namespace

template <class T>
Attempt augment_rows(DenseProblem<T>& problem, const std::vector<std::int64_t>& free_rows) {
  if (free_rows.empty()) return Attempt::solved;
  RowPaths<T> paths(problem);
  for (const std::int64_t row : free_rows) {
    const Attempt attempt = paths.augment(row);
    if (attempt != Attempt::solved) return attempt;
  }
  return Attempt::solved;
}

template Attempt augment_rows<float>(DenseProblem<float>&, const std::vector<std::int64_t>&);
template Attempt augment_rows<double>(DenseProblem<double>&, const std::vector<std::int64_t>&);

}  // namespace rebasin::assignment
