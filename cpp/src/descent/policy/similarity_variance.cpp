#include "descent/policy/similarity_variance.hpp"

#include <algorithm>

#include "cost/slots.hpp"

namespace rebasin {
namespace {

constexpr std::int64_t sampled_columns = 32;

// The columns of one member's units at one move: offsets of every unit, and of where each column begins.
class Columns {
 public:
  Columns(const Problem& problem, std::size_t tensor, const Move& move, std::int32_t member)
      : view_(problem.tensors[tensor]), move_(move) {
    inner_ = move.copies;
    bool inside = false;
    for (const std::int32_t permutation : move.permutations) {
      const std::int64_t size = problem.permutations[permutation].size;
      if (inside) inner_ *= size;
      if (permutation == member) {
        units_ = size;
        inside = true;
      }
    }
    const auto positions = static_cast<std::int64_t>(move.positions.size());
    outer_ = positions / (units_ * inner_);
    across_ = 1;
    for (std::size_t axis = 0; axis < view_.shape.size(); ++axis) {
      if (static_cast<std::int32_t>(axis) != move.axis) across_ *= view_.shape[axis];
    }
  }

  std::int64_t units() const { return units_; }
  std::int64_t count() const { return outer_ * inner_ * across_; }

  // Of the units on evenly spaced columns, column after column.
  std::vector<std::int64_t> sampled_offsets(const std::vector<std::int64_t>& strides) const {
    const std::int64_t total = count(), samples = std::min(total, sampled_columns);
    std::vector<std::int64_t> offsets(samples * units_);
    for (std::int64_t k = 0; k < samples; ++k) {
      // An odd place within each stretch, so that samples do not all fall on the same kernel tap.
      const std::int64_t column = std::min(total - 1, k * total / samples + k % 7 * (total / samples) / 7);
      write_column(column, strides, offsets.data() + k * units_);
    }
    return offsets;
  }

  // The variance over the units, on average over the columns of `entries`.
  double mean_variance(const std::vector<double>& entries) const {
    if (entries.empty()) return 0.0;
    const auto n = static_cast<double>(units_);
    double total = 0.0;
    for (auto column = entries.begin(); column != entries.end(); column += units_) {
      double sum = 0.0, squares = 0.0;
      for (auto entry = column; entry != column + units_; ++entry) {
        sum += *entry;
        squares += *entry * *entry;
      }
      total += std::max(0.0, squares / n - (sum / n) * (sum / n));
    }
    return total / (static_cast<double>(entries.size()) / n);
  }

 private:
  void write_column(std::int64_t column, const std::vector<std::int64_t>& strides,
                    std::int64_t* offsets) const {
    const std::int64_t along = column % (outer_ * inner_);
    std::int64_t rest = column / (outer_ * inner_), base = 0;
    for (std::size_t axis = view_.shape.size(); axis-- > 0;) {
      if (static_cast<std::int32_t>(axis) == move_.axis) continue;
      base += rest % view_.shape[axis] * strides[axis];
      rest /= view_.shape[axis];
    }
    const std::int64_t stride = strides[move_.axis];
    for (std::int64_t i = 0; i < units_; ++i) {
      const std::int64_t place = (along / inner_ * units_ + i) * inner_ + along % inner_;
      offsets[i] = base + move_.positions[place] * stride;
    }
  }

  const Tensor& view_;
  const Move& move_;
  std::int64_t units_ = 1, inner_ = 1, outer_ = 1, across_ = 1;
};

void add_need(SimilarityVariance& variances, const Problem& problem, std::int32_t permutation,
              bool same_move) {
  const std::int32_t family = family_of(problem, permutation);
  if (family == variances.family) {
    variances.needs_itself |= !same_move;
  } else if (std::find(variances.needs.begin(), variances.needs.end(), family) == variances.needs.end()) {
    variances.needs.push_back(family);
  }
}

Status variance_at(const Problem& problem, const Nesting& nesting, Backend& backend, std::size_t t,
                   const Move& move, SimilarityVariance& variances) {
  const std::int32_t family = variances.family;
  for (const std::int32_t permutation : move.permutations) {
    if (nesting.in_family(family, permutation)) variances.member = permutation;
    add_need(variances, problem, permutation, true);
  }
  const Tensor& tensor = problem.tensors[t];
  for (const Move& other : tensor.moves) {
    if (other.axis == move.axis) continue;
    for (const std::int32_t permutation : other.permutations)
      add_need(variances, problem, permutation, false);
  }
  const Columns columns(problem, t, move, variances.member);
  // Each copy of the member within its parents sees its own share of the columns.
  const auto copies = static_cast<double>(copies_of(problem, variances.member));
  std::vector<double> a, b;
  Status status = backend.entries(t, Model::a, columns.sampled_offsets(tensor.a_strides), a);
  if (status == Status::ok)
    status = backend.entries(t, Model::b, columns.sampled_offsets(tensor.b_strides), b);
  variances.variance =
      static_cast<double>(columns.count()) / copies * columns.mean_variance(a) * columns.mean_variance(b);
  return status;
}

}  // namespace

std::int32_t family_of(const Problem& problem, std::int32_t permutation) {
  const std::vector<std::int32_t>& parents = problem.permutations[permutation].parents;
  return parents.empty() ? permutation : parents.front();
}

Status similarity_variances(const Problem& problem, const Nesting& nesting, Backend& backend,
                            std::vector<SimilarityVariance>& found) {
  found.clear();
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    for (const Move& move : problem.tensors[t].moves) {
      std::vector<std::int32_t> seen;
      for (const std::int32_t permutation : move.permutations) {
        const std::int32_t family = family_of(problem, permutation);
        if (std::find(seen.begin(), seen.end(), family) != seen.end()) continue;
        seen.push_back(family);
        found.push_back({family, family, 0.0, {}, false});
        const Status status = variance_at(problem, nesting, backend, t, move, found.back());
        if (status != Status::ok) return status;
      }
    }
  }
  return Status::ok;
}

}  // namespace rebasin
