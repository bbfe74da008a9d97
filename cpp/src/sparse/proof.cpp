#include "sparse/proof.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <type_traits>

#include "assignment/exact/real_sum.hpp"
#include "assignment/exact/totals.hpp"
#include "assignment/proof/exact_sums.hpp"

namespace rebasin::sparse {
namespace {

using assignment::add_up;
using assignment::difference_error;
using assignment::next_down;
using assignment::next_up;

constexpr double infinity = std::numeric_limits<double>::infinity();

// A cost as the sum of two doubles, exactly.
struct ExactCost {
  double high;
  double low;
};

ExactCost exact_cost(double cost, double sign) {
  return {sign * cost, 0.0};
}

ExactCost exact_cost(std::int64_t cost, double sign) {
  constexpr std::int64_t low_half = 0xffffffff;
  const double upper = sign * static_cast<double>(cost & ~low_half);
  const double lower = sign * static_cast<double>(cost & low_half);
  const double sum = upper + lower;
  return {sum, difference_error(upper, -lower, sum)};
}

// Less a dual: a double nearby and the rest, which is at most a few units in its last place.
ExactCost reduced(ExactCost cost, double dual) {
  const double difference = cost.high - dual;
  return {difference, difference_error(cost.high, dual, difference) + cost.low};
}

double lower_bound(ExactCost value) {
  if (value.low == 0.0) return value.high;
  const double nearest = value.high + value.low;
  // Where the rest is less than half a unit the nearest double is at hand, and on which side.
  return nearest == value.high && value.low > 0.0 ? nearest : next_down(nearest);
}

// At least value - dual.
double slack_bound(ExactCost value, double dual) {
  return std::max(0.0, add_up(add_up(value.high, -dual), value.low == 0.0 ? 0.0 : next_up(value.low)));
}

template <class T>
ExactCost minimised(T cost, double sign) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    return exact_cost(cost, sign);
  } else {
    return exact_cost(static_cast<double>(cost), sign);
  }
}

bool holds(const std::vector<std::int32_t>& selected, std::size_t line) {
  return selected.empty() || selected[line] >= 0;
}

double total(const std::vector<double>& costs) {
  return assignment::exact_total(costs.data(), static_cast<std::int64_t>(costs.size()));
}
double total(const std::vector<float>& costs) {
  return total(std::vector<double>(costs.begin(), costs.end()));
}
double total(const std::vector<std::int64_t>& costs) {
  assignment::RealSum sum;
  for (const std::int64_t cost : costs) sum.add(assignment::to_dyadic(cost));
  return sum.nearest();
}

}  // namespace

template <class View>
double prove(const View& view, const Selection& selection, ProvenMatching& matching) {
  const double sign = view.maximize ? -1.0 : 1.0;
  const bool transposed = selection.transposed;
  std::vector<double>& given = transposed ? matching.row_dual : matching.column_dual;
  std::vector<double>& found = transposed ? matching.column_dual : matching.row_dual;
  const std::size_t lines = found.size();
  std::vector<ExactCost> taken(lines, {infinity, 0.0});  // least reduced cost of the matched entry
  for (std::size_t line = 0; line < lines; ++line) {
    if (holds(transposed ? selection.column : selection.row, line)) found[line] = infinity;
  }
  for (std::int64_t i = 0; i < view.rows; ++i) {
    if (!holds(selection.row, i)) continue;
    for (std::int64_t k = view.begin(i); k < view.end(i); ++k) {
      const auto j = static_cast<std::int64_t>(view.columns_of[k]);
      const ExactCost cost = minimised(view.values[k], sign);
      if (!(cost.high < infinity) || !holds(selection.column, j)) continue;
      const std::int64_t line = transposed ? j : i;
      const double dual = given[transposed ? i : j];
      const bool matched = matching.column_of[i] == j;
      // An entry that is a rounding or more above the least changes nothing.
      if (cost.high - dual > found[line] && !matched) continue;
      const ExactCost value = reduced(cost, dual);
      found[line] = std::min(found[line], lower_bound(value));
      if (matched && value.high + value.low < taken[line].high + taken[line].low) taken[line] = value;
    }
  }
  double total = 0.0;
  for (std::size_t line = 0; line < lines; ++line) {
    if (taken[line].high < infinity) total = add_up(total, slack_bound(taken[line], found[line]));
  }
  return total;
}

template <class View>
double total_of(const View& view, const std::vector<std::int32_t>& column_of) {
  using Value = typename View::Value;
  std::vector<Value> assigned;
  for (std::int64_t i = 0; i < view.rows; ++i) {
    std::optional<Value> best;
    for (std::int64_t k = view.begin(i); k < view.end(i); ++k) {
      const Value cost = view.values[k];
      if (static_cast<std::int64_t>(view.columns_of[k]) != column_of[i]) continue;
      if (!best || (view.maximize ? cost > *best : cost < *best)) best = cost;
    }
    if (best) assigned.push_back(*best);
  }
  return total(assigned);
}

#define REBASIN_INSTANTIATE(T, I)                                                   \
  template double prove(const TypedView<T, I>&, const Selection&, ProvenMatching&); \
  template double total_of(const TypedView<T, I>&, const std::vector<std::int32_t>&)

REBASIN_INSTANTIATE(float, std::int32_t);
REBASIN_INSTANTIATE(float, std::int64_t);
REBASIN_INSTANTIATE(double, std::int32_t);
REBASIN_INSTANTIATE(double, std::int64_t);
REBASIN_INSTANTIATE(std::int64_t, std::int32_t);
REBASIN_INSTANTIATE(std::int64_t, std::int64_t);

}  // namespace rebasin::sparse
