#include "descent/policy/plan.hpp"

#include <algorithm>
#include <cmath>

#include "cost/slots.hpp"

namespace rebasin {
namespace {

std::vector<std::int32_t> families(const Problem& problem) {
  std::vector<std::int32_t> found;
  for (std::size_t p = 0; p < problem.permutations.size(); ++p) {
    if (problem.permutations[p].parents.empty()) found.push_back(static_cast<std::int32_t>(p));
  }
  return found;
}

// Variances by family, and the expected gain of a family from the part of them that a set of fixed families
// makes usable.
class PlannedOrder {
 public:
  PlannedOrder(const Problem& problem, const std::vector<SimilarityVariance>& variances)
      : problem_(problem),
        by_family_(problem.permutations.size()),
        fixed_(problem.permutations.size(), false),
        variance_(problem.permutations.size(), 0.0) {
    for (std::size_t p = 0; p < problem.permutations.size(); ++p) weight_.push_back(weight_of(p));
    for (const SimilarityVariance& each : variances) by_family_[each.family].push_back(&each);
  }

  void clear() { fixed_.assign(fixed_.size(), false); }
  void match_on_fixed_axes(std::int32_t family) { fixed_[family] = true; }

  double gain(std::int32_t family) {
    return gain_of(family, [&](const SimilarityVariance& each) { return usable(each); });
  }
  double most(std::int32_t family) {
    return gain_of(family, [](const SimilarityVariance&) { return true; });
  }

  double share(std::int32_t family) const {
    double fixed = 0.0, all = 0.0;
    for (const SimilarityVariance* each : by_family_[family]) {
      all += each->variance;
      if (usable(*each)) fixed += each->variance;
    }
    return all > 0.0 ? fixed / all : 0.0;
  }

 private:
  bool usable(const SimilarityVariance& each) const {
    return !each.needs_itself && std::all_of(each.needs.begin(), each.needs.end(),
                                             [&](std::int32_t family) { return fixed_[family]; });
  }

  template <class Counts>
  double gain_of(std::int32_t family, Counts&& counts) {
    const auto& all = by_family_[family];
    for (const SimilarityVariance* each : all) variance_[each->member] = 0.0;
    for (const SimilarityVariance* each : all) {
      if (counts(*each)) variance_[each->member] += each->variance;
    }
    double sum = 0.0;
    for (const SimilarityVariance* each : all) {
      const auto m = static_cast<std::size_t>(each->member);
      if (variance_[m] > 0.0) sum += weight_[m] * std::sqrt(variance_[m]);
      variance_[m] = 0.0;  // counted once
    }
    return sum;
  }

  // The expected gain by one standard deviation of a similarity: n sqrt(2 ln n), in each copy.
  double weight_of(std::size_t member) const {
    const auto n = static_cast<double>(std::max<std::int64_t>(1, problem_.permutations[member].size));
    const auto copies = static_cast<double>(copies_of(problem_, static_cast<std::int32_t>(member)));
    return copies * n * std::sqrt(2.0 * std::log(n));
  }

  const Problem& problem_;
  std::vector<std::vector<const SimilarityVariance*>> by_family_;
  std::vector<bool> fixed_;
  std::vector<double> weight_, variance_;
};

double gain_of_order(PlannedOrder& planned, const std::vector<std::int32_t>& order) {
  planned.clear();
  double sum = 0.0;
  for (const std::int32_t family : order) {
    sum += planned.gain(family);
    planned.match_on_fixed_axes(family);
  }
  return sum;
}

// Appends the family that scores highest, given those before it.
template <class Score>
std::vector<std::int32_t> greedy(PlannedOrder& planned, std::vector<std::int32_t> waiting, Score&& score) {
  std::vector<std::int32_t> order;
  planned.clear();
  while (!waiting.empty()) {
    auto best = waiting.begin();
    double best_score = score(*best);
    for (auto each = waiting.begin() + 1; each != waiting.end(); ++each) {
      const double found = score(*each);
      if (found > best_score) {
        best = each;
        best_score = found;
      }
    }
    order.push_back(*best);
    planned.match_on_fixed_axes(*best);
    waiting.erase(best);
  }
  return order;
}

// Moves one family to its best place; whether that gained anything.
bool improve_place(PlannedOrder& planned, std::vector<std::int32_t>& order, double& gain,
                   std::int32_t family) {
  std::vector<std::int32_t> rest = order;
  rest.erase(std::find(rest.begin(), rest.end(), family));
  bool improved = false;
  for (std::size_t place = 0; place <= rest.size(); ++place) {
    std::vector<std::int32_t> candidate = rest;
    candidate.insert(candidate.begin() + static_cast<std::ptrdiff_t>(place), family);
    const double found = gain_of_order(planned, candidate);
    if (found > gain * (1.0 + 1e-9)) {
      gain = found;
      order = candidate;
      improved = true;
    }
  }
  return improved;
}

}  // namespace

std::vector<std::int32_t> plan_by_gain(const Problem& problem,
                                       const std::vector<SimilarityVariance>& variances) {
  constexpr std::size_t most_work = 20'000'000;  // visits of one variance: a tenth of a second or so
  PlannedOrder planned(problem, variances);
  const std::vector<std::int32_t> all = families(problem);
  std::vector<std::int32_t> order = greedy(planned, all, [&](std::int32_t family) {
    const double most = planned.most(family);
    return most > 0.0 ? planned.gain(family) / most : 0.0;
  });
  double gain = gain_of_order(planned, order);
  const std::size_t work_of_a_round = all.size() * all.size() * variances.size();
  std::size_t work = 0;
  for (bool improved = true; improved && work + work_of_a_round <= most_work; work += work_of_a_round) {
    improved = false;
    for (const std::int32_t family : all) improved |= improve_place(planned, order, gain, family);
  }
  return order;
}

std::vector<std::int32_t> plan_by_share(const Problem& problem,
                                        const std::vector<SimilarityVariance>& variances) {
  PlannedOrder planned(problem, variances);
  return greedy(planned, families(problem), [&](std::int32_t family) { return planned.share(family); });
}

double expected_gain(const Problem& problem, const std::vector<SimilarityVariance>& variances,
                     const std::vector<std::int32_t>& order) {
  PlannedOrder planned(problem, variances);
  return gain_of_order(planned, order);
}

}  // namespace rebasin
