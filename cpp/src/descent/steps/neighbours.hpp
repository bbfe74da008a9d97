// Which permutations see each other: those that move entries of one tensor together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "descent/steps/nesting.hpp"
#include "rebasin/problem.hpp"

namespace rebasin {

// For every permutation with all that stand within it, since they step together.
class Neighbours {
 public:
  Neighbours(const Problem& problem, const Nesting& nesting)
      : neighbours_(problem.permutations.size()), tensors_(problem.permutations.size()) {
    for (std::size_t t = 0; t < problem.tensors.size(); ++t) add_tensor(t, problem.tensors[t].moves);
    for (std::size_t p = 0; p < problem.permutations.size(); ++p)
      join_family(static_cast<std::int32_t>(p), nesting);
  }

  // Permutations whose best step may change when `permutation` moves; itself only if it stands on two axes of
  // a tensor or shares a move with another. Pieces of one axis do not see each other.
  const std::vector<std::int32_t>& of(std::int32_t permutation) const { return neighbours_[permutation]; }

  // Tensors whose share of the objective changes when `permutation` moves.
  const std::vector<std::size_t>& tensors_of(std::int32_t permutation) const { return tensors_[permutation]; }

 private:
  void add_tensor(std::size_t t, const std::vector<Move>& moves) {
    for (const Move& move : moves) {
      for (const std::int32_t p : move.permutations) {
        tensors_[p].push_back(t);
        for (const Move& other : moves) {
          if (&other != &move && other.axis == move.axis) continue;
          for (const std::int32_t q : other.permutations) {
            if (&other != &move || q != p) neighbours_[p].push_back(q);
          }
        }
      }
    }
  }

  void join_family(std::int32_t p, const Nesting& nesting) {
    // Children come after this point in their own right: their lists are read, never their joined ones.
    for (const std::int32_t member : nesting.family(p)) {
      if (member == p) continue;
      append(neighbours_[p], neighbours_[member]);
      append(tensors_[p], tensors_[member]);
    }
    make_unique(neighbours_[p]);
    make_unique(tensors_[p]);
  }

  template <class Value>
  static void append(std::vector<Value>& to, const std::vector<Value>& from) {
    to.insert(to.end(), from.begin(), from.end());
  }

  template <class Value>
  static void make_unique(std::vector<Value>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }

  std::vector<std::vector<std::int32_t>> neighbours_;
  std::vector<std::vector<std::size_t>> tensors_;
};

}  // namespace rebasin
