#include "descent/host_backend.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "cost/objective.hpp"
#include "descent/forbidden_matches.hpp"

namespace rebasin {
namespace {

// Without an early exit, so that the compiler may use vectors.
template <class T>
bool all_finite(const T* values, std::int64_t count) {
  using Bits = std::conditional_t<std::is_same_v<T, float>, std::int32_t, std::int64_t>;
  constexpr Bits infinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<Bits>(values[i]) & std::numeric_limits<Bits>::max());
  }
  return largest < infinity;
}

// Maximises. invalid_entry: an entry or the total is not finite; an overflow of an entry to -inf would pass
// for a forbidden pair.
template <class T>
Status assign_finite(const T* matrix, std::int64_t n, const WarmStart* start, AssignmentSolution& solution,
                     Interrupt& interrupt) {
  if (!all_finite(matrix, n * n)) return Status::invalid_entry;
  const CostView<T> view{matrix, n, n, n, 1, true};
  const Status status = solve_assignment(view, solution, interrupt, {.warm_start = start});
  return status == Status::overflow ? Status::invalid_entry : status;
}

}  // namespace

template <class T>
Status assign_with(const std::vector<std::vector<double>>& within, std::vector<T>& matrix, Permutation& found,
                   double& objective, Interrupt& interrupt) {
  for (const std::vector<double>& values : within) {
    for (std::size_t k = 0; k < matrix.size(); ++k) matrix[k] += static_cast<T>(values[k]);
  }
  const auto n = std::llround(std::sqrt(static_cast<double>(matrix.size())));
  AssignmentSolution solution;
  const Status status = assign_finite(matrix.data(), n, nullptr, solution, interrupt);
  found = std::move(solution.columns);
  objective = solution.objective;
  return status;
}

template <class T>
HostBackend<T>::HostBackend(const Problem& problem, Gemm<T> gemm, Interrupt& interrupt)
    : problem_(problem),
      interrupt_(interrupt),
      similarity_(problem, gemm),
      held_(problem.permutations.size()) {}

template <class T>
Status HostBackend<T>::objective(const Gather& gather, double& value) {
  value = 0.0;
  for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
    if (interrupt_.requested()) return Status::interrupted;
    value += tensor_objective(problem_, gather, t);
  }
  return Status::ok;
}

template <class T>
Status HostBackend<T>::gain(const std::vector<std::size_t>& tensors, const std::vector<OffsetTables>& before,
                            const Gather& gather, double& value) {
  value = 0.0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (interrupt_.requested()) return Status::interrupted;
    value += tensor_gain(problem_, gather, before[i], tensors[i]);
  }
  return Status::ok;
}

template <class T>
Status HostBackend<T>::spread(double& value) {
  value = spread_of_objective(problem_, interrupt_);
  return interrupt_.requested() ? Status::interrupted : Status::ok;
}

template <class T>
Status HostBackend<T>::entries(std::size_t tensor, Model model, const std::vector<std::int64_t>& offsets,
                               std::vector<double>& values) {
  const Tensor& view = problem_.tensors[tensor];
  values.resize(offsets.size());
  with_storage_type(view.dtype, [&](auto* type) {
    const auto* entries = static_cast<decltype(type)>(model == Model::a ? view.a : view.b);
    for (std::size_t i = 0; i < offsets.size(); ++i)
      values[i] = static_cast<double>(widen(entries[offsets[i]]));
  });
  return Status::ok;
}

template <class T>
Status HostBackend<T>::refresh(std::int32_t permutation, std::int64_t units,
                               const std::vector<Change>& changes, bool anew, const Gather& gather) {
  std::vector<T>& matrix = held_[permutation].matrix;
  matrix.resize(units * units);
  similarity_.begin(units, matrix.data(), anew);
  for (const Change& change : changes) {
    const Status status = change.before == nullptr ? similarity_.add(*change.occurrence, gather, interrupt_)
                                                   : similarity_.add_changes(*change.occurrence, gather,
                                                                             *change.before, interrupt_);
    if (status != Status::ok) return status;
  }
  return similarity_.finish(interrupt_);
}

template <class T>
Status HostBackend<T>::assign(const std::vector<std::int32_t>& permutations,
                              const std::vector<Match>& forbidden, std::vector<Permutation>& found) {
  found.clear();
  for (const std::int32_t permutation : permutations) {
    Held& held = held_[permutation];
    const std::int64_t n = units_of(permutation);
    const WarmStart start{held.solution.row_duals.data(), held.solution.column_duals.data()};
    AssignmentSolution solution;
    const ForbiddenMatches<T> without(held.matrix.data(), n, forbidden);
    const Status status = assign_finite(
        held.matrix.data(), n, held.solution.row_duals.empty() ? nullptr : &start, solution, interrupt_);
    if (status != Status::ok) return status;
    held.solution = std::move(solution);
    found.push_back(held.solution.columns);
  }
  return Status::ok;
}

template <class T>
Status HostBackend<T>::rows(std::int32_t permutation, const std::vector<std::int64_t>& rows,
                            std::vector<double>& values) {
  const std::int64_t n = units_of(permutation);
  const T* matrix = held_[permutation].matrix.data();
  values.clear();
  for (const std::int64_t row : rows) values.insert(values.end(), matrix + row * n, matrix + (row + 1) * n);
  return Status::ok;
}

template <class T>
void HostBackend<T>::release(std::int32_t permutation) {
  held_[permutation].matrix = std::vector<T>();  // = {} would keep the memory
}

template <class T>
Status HostBackend<T>::form(std::int64_t units, const std::vector<Occurrence>& occurrences,
                            const Gather& gather) {
  formed_.resize(units * units);
  return similarity_.compute(units, occurrences, gather, formed_.data(), interrupt_);
}

template <class T>
Status HostBackend<T>::assign_formed(const std::vector<std::vector<double>>& within, Permutation& found,
                                     double& objective) {
  return assign_with(within, formed_, found, objective, interrupt_);
}

template <class T>
Status HostBackend<T>::form_blocks(std::int64_t copies, std::int64_t units,
                                   const std::vector<Occurrence>& occurrences, const Gather& gather) {
  block_copies_ = copies;
  block_units_ = units;
  return form(copies * units, occurrences, gather);
}

template <class T>
Status HostBackend<T>::assign_blocks(const std::vector<Match>& blocks, BlockAssignments& found) {
  const std::int64_t n = block_units_, length = block_copies_ * n;
  std::vector<T> matrix(n * n);
  found = {};
  for (const auto& [slot, unit] : blocks) {
    const T* block = formed_.data() + slot * n * length + unit * n;
    for (std::int64_t i = 0; i < n; ++i) std::copy_n(block + i * length, n, matrix.data() + i * n);
    AssignmentSolution solution;
    const Status status = assign_finite(matrix.data(), n, nullptr, solution, interrupt_);
    if (status != Status::ok) return status;
    found.columns.insert(found.columns.end(), solution.columns.begin(), solution.columns.end());
    found.objectives.push_back(solution.objective);
  }
  return Status::ok;
}

template Status assign_with(const std::vector<std::vector<double>>&, std::vector<float>&, Permutation&,
                            double&, Interrupt&);
template Status assign_with(const std::vector<std::vector<double>>&, std::vector<double>&, Permutation&,
                            double&, Interrupt&);
template class HostBackend<float>;
template class HostBackend<double>;

}  // namespace rebasin
