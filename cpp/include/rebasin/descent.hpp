// Permutation coordinate descent: weight matching, algorithm 1 of Git Re-Basin (Ainsworth et al. 2022).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "rebasin/blas.hpp"
#include "rebasin/interrupt.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

struct DescentEvent {
  std::int64_t sweep = 0;   // counted from 0
  std::int64_t visit = 0;   // within the sweep
  std::int64_t visits = 0;  // of the sweep
  std::int32_t permutation = 0;
  double objective = 0.0;
  double flop_done = 0.0;   // of products
  double flop_ahead = 0.0;  // of the products that are known to be outstanding; more come as units move
};

// The proposal of a visit for a permutation and all that stand within it, and how far it stood out from a
// random one.
struct DescentStep {
  std::int32_t permutation = 0;
  double fixed_axes_score = 0.0;
  std::vector<Permutation> family;
};

struct DescentOptions {
  // Writes the permutations to visit in a sweep, counted from 0; false ends the descent. Where there is none,
  // visits are planned: a first pass in a planned order, then a priority queue by pending change.
  std::function<bool(std::int64_t sweep, std::vector<std::int32_t>& order)> next_order;
  std::int64_t most_sweeps = 100;  // of as many visits as there are permutations, where visits are planned
  bool first_pass = true;          // false: it starts from the permutations as they stand
  // Planned visits, in a local optimum: the number of perturbations (iterated local search). Each forbids the
  // matches of some units for one assignment, descends from there, and is undone unless the objective is
  // higher. Only where the first pass underperformed, if `perturb_only_if_underperformed`.
  std::int64_t perturbations = 0;
  bool perturb_only_if_underperformed = true;
  // Planned visits: 0 for the plan as it is. Every other seed perturbs other units once after the first pass,
  // and in every perturbation, and so gives another descent.
  std::uint64_t seed = 0;
  double bytes_to_keep = 0.0;  // for similarities between visits, beyond one of the largest permutation
  // A step must raise the float64 objective by more than this share of its magnitude, or of the most that
  // permutations can change it by where that is less: constants in the objective reject no step.
  double tolerance = 1e-9;
  bool overwrite = false;  // take every assignment, as the original program does; steps that do not raise the
                           // objective are then not counted as accepted
  // Steps of an earlier descent of the same problem and options, from its first on, which cost neither
  // products nor assignments. The first that does not fit, or is no permutation, ends their use.
  std::vector<DescentStep> recorded;
  std::function<void(const DescentStep& step)> on_step;     // after each step that was computed
  std::function<bool(const DescentEvent& event)> on_visit;  // false: stop, as interrupted
};

struct DescentStats {
  std::int64_t visits = 0;
  std::int64_t skipped_visits = 0;  // nothing that the permutation depends on had moved
  std::int64_t assignments = 0;
  std::int64_t accepted_steps = 0;
  std::int64_t perturbations = 0;
  std::int64_t perturbations_kept = 0;  // those that led higher
  double product_flop = 0.0;
  std::int64_t product_columns = 0;  // of unfolded tensors, or of differences of them, that were multiplied
  double packed_bytes = 0.0;         // copied on the way to BLAS
  double planning_seconds = 0.0;
  double packing_seconds = 0.0;  // of product_seconds
  double product_seconds = 0.0;
  double assignment_seconds = 0.0;
  double objective_seconds = 0.0;
};

struct DescentResult {
  std::vector<Permutation> permutations;
  double objective = 0.0;        // vec(A) . vec(pi(B)) over all tensors, accumulated in float64
  double first_objective = 0.0;  // before the first step
  std::vector<double> history;   // after each sweep
  bool converged = false;        // no step of a single permutation raises the objective
  DescentStats stats;
};

// Descends from result.permutations, which must hold one valid permutation of the right size a name.
//
// Given orders, a sweep is one of them, and the descent ends after one that raised nothing. With planned
// visits it ends when every similarity is up to date and no step raises the objective; the final objective is
// never below the first.
//
// T is the type of similarities and products; objectives and the acceptance test are float64 always. Entries
// are widened as they are read, a panel at a time: beyond the result the memory is one similarity of the
// largest permutation, two panels, and the assignment's workspace. Deterministic if `gemm` is. Thread-safe
// for distinct results. invalid_entry: an entry is not finite, or products overflowed.
template <class T>
Status coordinate_descent(const Problem& problem, Gemm<T> gemm, const DescentOptions& options,
                          DescentResult& result, Interrupt& interrupt);

// The same visits on another backend (descent/backend.hpp), to which alone the tensors' pointers matter.
class Backend;
Status coordinate_descent(const Problem& problem, Backend& backend, const DescentOptions& options,
                          DescentResult& result);

}  // namespace rebasin
