#include "assignment/augmentation.hpp"

#include <algorithm>
#include <limits>

namespace rebasin::assignment {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// One search grows a tree of shortest paths from a free row until it meets a free column.
template <class T>
class Search {
 public:
  Search(const CostRows<T>& costs, MatchingState& state)
      : costs_(costs),
        state_(state),
        buffer_(costs.columns()),
        distance_(costs.columns()),
        predecessor_(costs.columns()),
        scanned_(costs.columns()) {}

  Status run(std::int64_t free_row, Interrupt& interrupt) {
    std::fill(distance_.begin(), distance_.end(), infinity);
    std::fill(scanned_.begin(), scanned_.end(), std::uint8_t{0});
    order_.clear();
    relax(free_row, 0.0, 0.0);
    for (;;) {
      if (interrupt.requested()) return Status::interrupted;
      const std::int64_t column = nearest();
      if (column == unassigned) return Status::infeasible;
      const double reached = distance_[column];
      const std::int64_t row = state_.row_of[column];
      if (row == unassigned) {
        lower_duals(reached);
        flip(column, free_row);
        return Status::ok;
      }
      scanned_[column] = 1;
      order_.push_back(column);
      relax(row, costs_.at(row, column) - state_.v[column], reached);
    }
  }

 private:
  // Offers each unscanned column the path through `row`, whose own reduced cost is `dual`.
  void relax(std::int64_t row, double dual, double reached) {
    const T* run = costs_.row(row, buffer_.data());
    const double scale = costs_.scale();
    const double* v = state_.v.data();
    for (std::int64_t j = 0; j < costs_.columns(); ++j) {
      // Rounding may put a tight entry below `dual`; a distance below `reached` would loop back into the
      // tree.
      const double reduced = scale * static_cast<double>(run[j]) - v[j] - dual;
      const double distance = order_.empty() ? reduced : reached + std::max(reduced, 0.0);
      const bool better = distance < distance_[j] && scanned_[j] == 0;
      distance_[j] = better ? distance : distance_[j];
      predecessor_[j] = better ? row : predecessor_[j];
    }
  }

  // The nearest unscanned column, a free one if several are equally near.
  std::int64_t nearest() const {
    double least = infinity;
    std::int64_t found = unassigned;
    for (std::int64_t j = 0; j < costs_.columns(); ++j) {
      if (scanned_[j] != 0 || distance_[j] > least) continue;
      const bool nearer = distance_[j] < least;
      if (!nearer && (found == unassigned || state_.row_of[j] != unassigned)) continue;
      least = distance_[j];
      found = j;
    }
    return found;
  }

  void lower_duals(double reached) {
    for (const std::int64_t column : order_) state_.v[column] += distance_[column] - reached;
  }

  void flip(std::int64_t column, std::int64_t free_row) {
    for (;;) {
      const std::int64_t row = predecessor_[column];
      const std::int64_t next = state_.column_of[row];
      state_.assign(row, column);
      if (row == free_row) return;
      column = next;
    }
  }

  const CostRows<T>& costs_;
  MatchingState& state_;
  std::vector<T> buffer_;
  std::vector<double> distance_;
  std::vector<std::int64_t> predecessor_;
  std::vector<std::uint8_t> scanned_;
  std::vector<std::int64_t> order_;
};

}  // namespace

template <class T>
Status augment(const CostRows<T>& costs, MatchingState& state, Interrupt& interrupt) {
  Search<T> search(costs, state);
  for (const std::int64_t row : state.free_rows) {
    const Status status = search.run(row, interrupt);
    if (status != Status::ok) return status;
  }
  state.free_rows.clear();
  return Status::ok;
}

template Status augment<float>(const CostRows<float>&, MatchingState&, Interrupt&);
template Status augment<double>(const CostRows<double>&, MatchingState&, Interrupt&);

}  // namespace rebasin::assignment
