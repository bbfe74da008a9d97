// The arithmetic of a descent: products, gathers, assignments and gains, where the parameters lie. The policy
// of visits and the acceptance of steps are elsewhere, one for all backends.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cost/gather.hpp"
#include "cost/similarity.hpp"
#include "rebasin/problem.hpp"
#include "rebasin/status.hpp"

namespace rebasin {

enum class Model { a, b };

// An occurrence that a kept similarity is to count as it stands in the gather: in full, or by the change
// since B's entries lay at `before`, one table an axis.
struct Change {
  const Occurrence* occurrence = nullptr;
  const OffsetTables* before = nullptr;
};

// A slot and a unit.
using Match = std::array<std::int64_t, 2>;

// Assignments of blocks of one matrix: the columns of each block in a row, and its objective.
struct BlockAssignments {
  std::vector<std::int64_t> columns;
  std::vector<double> objectives;
};

// Similarities of permutations that stand alone are held by permutation, together with the duals of their
// last assignment, from which the next starts. Every method returns Status::invalid_entry where a product is
// not finite, and interrupted where it was stopped. Not thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;

  // vec(A) . vec(pi(B)) over all tensors in float64, and by how much some tensors' share of it has changed
  // since B's entries lay at `before`, tables of each.
  virtual Status objective(const Gather& gather, double& value) = 0;
  virtual Status gain(const std::vector<std::size_t>& tensors, const std::vector<OffsetTables>& before,
                      const Gather& gather, double& value) = 0;

  // By how much permutations can change the objective (cost/spread.hpp).
  virtual Status spread(double& value) = 0;

  // Entries at element offsets, of Tensor::a_strides or b_strides.
  virtual Status entries(std::size_t tensor, Model model, const std::vector<std::int64_t>& offsets,
                         std::vector<double>& values) = 0;

  // Adds the changes to the permutation's similarity; `anew`: to zeros, in its place.
  virtual Status refresh(std::int32_t permutation, std::int64_t units, const std::vector<Change>& changes,
                         bool anew, const Gather& gather) = 0;

  // Assigns by the similarities held, independent of each other; `forbidden` matches of a permutation alone
  // count as the least similarity of their slots.
  virtual Status assign(const std::vector<std::int32_t>& permutations, const std::vector<Match>& forbidden,
                        std::vector<Permutation>& found) = 0;

  // Some rows of the similarity that is held, one after the other.
  virtual Status rows(std::int32_t permutation, const std::vector<std::int64_t>& rows,
                      std::vector<double>& values) = 0;

  // Frees the permutation's similarity; its duals stay.
  virtual void release(std::int32_t permutation) = 0;

  // A similarity for one assignment, and that assignment by its entries and `within`: tables of as many
  // values, added one after the other.
  virtual Status form(std::int64_t units, const std::vector<Occurrence>& occurrences,
                      const Gather& gather) = 0;
  virtual Status assign_formed(const std::vector<std::vector<double>>& within, Permutation& found,
                               double& objective) = 0;

  // The similarity of copies * units slots, held until the next; and assignments of its square blocks of
  // `units`, by their row and column of blocks.
  virtual Status form_blocks(std::int64_t copies, std::int64_t units,
                             const std::vector<Occurrence>& occurrences, const Gather& gather) = 0;
  virtual Status assign_blocks(const std::vector<Match>& blocks, BlockAssignments& found) = 0;

  // Whether several assignments at once cost less than one after the other.
  virtual bool batches() const { return false; }

  // Of one similarity.
  virtual double entry_bytes() const = 0;

  virtual const ProductCounters& counters() const = 0;
};

}  // namespace rebasin
