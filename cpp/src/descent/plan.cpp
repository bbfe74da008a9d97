#include "descent/plan.hpp"

#include <algorithm>
#include <cmath>

namespace rebasin {
namespace {

std::vector<std::int32_t> families(const Problem& problem) {
  std::vector<std::int32_t> found;
  for (std::size_t p = 0; p < problem.permutations.size(); ++p) {
    if (problem.permutations[p].parents.empty()) found.push_back(static_cast<std::int32_t>(p));
  }
  return found;
}

// Evidence by family, and what a family gains from the part of it that a set of settled families makes
// usable.
class Prospects {
 public:
  Prospects(const Problem& problem, const std::vector<Evidence>& evidence)
      : problem_(problem),
        by_family_(problem.permutations.size()),
        settled_(problem.permutations.size(), false),
        variance_(problem.permutations.size(), 0.0) {
    for (std::size_t p = 0; p < problem.permutations.size(); ++p) weight_.push_back(weight_of(p));
    for (const Evidence& each : evidence) by_family_[static_cast<std::size_t>(each.family)].push_back(&each);
  }

  void clear() { settled_.assign(settled_.size(), false); }
  void settle(std::int32_t family) { settled_[static_cast<std::size_t>(family)] = true; }

  double gain(std::int32_t family) {
    return gain_of(family, [&](const Evidence& each) { return usable(each); });
  }
  double most(std::int32_t family) {
    return gain_of(family, [](const Evidence&) { return true; });
  }

  double share(std::int32_t family) const {
    double settled = 0.0, all = 0.0;
    for (const Evidence* each : by_family_[static_cast<std::size_t>(family)]) {
      all += each->variance;
      if (usable(*each)) settled += each->variance;
    }
    return all > 0.0 ? settled / all : 0.0;
  }

 private:
  bool usable(const Evidence& each) const {
    return !each.needs_itself && std::all_of(each.needs.begin(), each.needs.end(), [&](std::int32_t family) {
      return settled_[static_cast<std::size_t>(family)];
    });
  }

  template <class Counts>
  double gain_of(std::int32_t family, Counts&& counts) {
    const auto& all = by_family_[static_cast<std::size_t>(family)];
    for (const Evidence* each : all) variance_[static_cast<std::size_t>(each->member)] = 0.0;
    for (const Evidence* each : all) {
      if (counts(*each)) variance_[static_cast<std::size_t>(each->member)] += each->variance;
    }
    double sum = 0.0;
    for (const Evidence* each : all) {
      const auto m = static_cast<std::size_t>(each->member);
      if (variance_[m] > 0.0) sum += weight_[m] * std::sqrt(variance_[m]);
      variance_[m] = 0.0;  // counted once
    }
    return sum;
  }

  // What one standard deviation of a similarity is worth: n sqrt(2 ln n), in each copy.
  double weight_of(std::size_t member) const {
    const auto n = static_cast<double>(std::max<std::int64_t>(1, problem_.permutations[member].size));
    double copies = 1.0;
    for (const std::int32_t parent : problem_.permutations[member].parents)
      copies *= static_cast<double>(problem_.permutations[static_cast<std::size_t>(parent)].size);
    return copies * n * std::sqrt(2.0 * std::log(n));
  }

  const Problem& problem_;
  std::vector<std::vector<const Evidence*>> by_family_;
  std::vector<bool> settled_;
  std::vector<double> weight_, variance_;
};

double gain_of_order(Prospects& prospects, const std::vector<std::int32_t>& order) {
  prospects.clear();
  double sum = 0.0;
  for (const std::int32_t family : order) {
    sum += prospects.gain(family);
    prospects.settle(family);
  }
  return sum;
}

// Appends whatever scores highest, given what stands before it.
template <class Score>
std::vector<std::int32_t> greedy(Prospects& prospects, std::vector<std::int32_t> waiting, Score&& score) {
  std::vector<std::int32_t> order;
  prospects.clear();
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
    prospects.settle(*best);
    waiting.erase(best);
  }
  return order;
}

// Moves one family to its best place; whether that gained anything.
bool improve_place(Prospects& prospects, std::vector<std::int32_t>& order, double& gain,
                   std::int32_t family) {
  std::vector<std::int32_t> rest = order;
  rest.erase(std::find(rest.begin(), rest.end(), family));
  bool improved = false;
  for (std::size_t place = 0; place <= rest.size(); ++place) {
    std::vector<std::int32_t> candidate = rest;
    candidate.insert(candidate.begin() + static_cast<std::ptrdiff_t>(place), family);
    const double found = gain_of_order(prospects, candidate);
    if (found > gain * (1.0 + 1e-9)) {
      gain = found;
      order = candidate;
      improved = true;
    }
  }
  return improved;
}

}  // namespace

std::vector<std::int32_t> plan_by_gain(const Problem& problem, const std::vector<Evidence>& evidence) {
  constexpr double most_work = 2e7;  // visits of one piece of evidence: a tenth of a second or so
  Prospects prospects(problem, evidence);
  const std::vector<std::int32_t> all = families(problem);
  std::vector<std::int32_t> order = greedy(prospects, all, [&](std::int32_t family) {
    const double most = prospects.most(family);
    return most > 0.0 ? prospects.gain(family) / most : 0.0;
  });
  double gain = gain_of_order(prospects, order), work = 0.0;
  const double work_of_a_round = static_cast<double>(all.size() * all.size() * evidence.size());
  for (bool improved = true; improved && work + work_of_a_round <= most_work; work += work_of_a_round) {
    improved = false;
    for (const std::int32_t family : all) improved |= improve_place(prospects, order, gain, family);
  }
  return order;
}

std::vector<std::int32_t> plan_by_share(const Problem& problem, const std::vector<Evidence>& evidence) {
  Prospects prospects(problem, evidence);
  return greedy(prospects, families(problem), [&](std::int32_t family) { return prospects.share(family); });
}

double expected_gain(const Problem& problem, const std::vector<Evidence>& evidence,
                     const std::vector<std::int32_t>& order) {
  Prospects prospects(problem, evidence);
  return gain_of_order(prospects, order);
}

}  // namespace rebasin
