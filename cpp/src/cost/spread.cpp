#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cost/objective.hpp"
#include "cost/odometer.hpp"

namespace rebasin {
namespace {

using Table = std::vector<std::int64_t>;

// For each position of an axis the class of positions that permutations exchange it with.
struct Classes {
  Table of;
  std::int64_t count = 0;
};

Classes classes_of(const Tensor& tensor, std::size_t axis) {
  Classes classes{Table(tensor.shape[axis], -1), 0};
  for (const Move& move : tensor.moves) {
    if (static_cast<std::size_t>(move.axis) != axis) continue;
    for (std::size_t k = 0; k < move.positions.size(); ++k) {
      classes.of[move.positions[k]] = classes.count + static_cast<std::int64_t>(k) % move.copies;
    }
    classes.count += move.copies;
  }
  for (std::int64_t& each : classes.of) {
    if (each < 0) each = classes.count++;
  }
  return classes;
}

Table scaled(std::int64_t length, std::int64_t stride) {
  Table offsets(length);
  for (std::int64_t i = 0; i < length; ++i) offsets[i] = i * stride;
  return offsets;
}

// Sums over one class, of differences from its first entry: an offset that all share does not cancel the
// rest.
struct Sums {
  double first = 0.0, sum = 0.0, squares = 0.0;
  std::int64_t count = 0;

  void add(double value) {
    if (count++ == 0) first = value;
    const double difference = value - first;
    sum += difference;
    squares += difference * difference;
  }
  double squares_about_mean() const {
    return count > 0 ? std::max(0.0, squares - sum * sum / static_cast<double>(count)) : 0.0;
  }
};

// One tensor's axes: those that stay, through which an outer loop goes, and those that move, with classes.
class Axes {
 public:
  explicit Axes(const Tensor& tensor) : tensor_(tensor) {
    for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      Classes classes = classes_of(tensor, axis);
      const bool stays = classes.count == tensor.shape[axis];
      (stays ? still_ : moving_).push_back(axis);
      if (!stays) classes_.push_back(std::move(classes));
    }
    // The class of an entry is a sum over the axes that move, as its offset is.
    std::int64_t step = 1;
    for (std::size_t k = moving_.size(); k-- > 0;) {
      for (std::int64_t& each : classes_[k].of) each *= step;
      step *= classes_[k].count;
    }
    count_ = step;
  }

  bool none_moves() const { return moving_.empty(); }

  double squares_about_means(const void* data, const std::vector<std::int64_t>& strides) const {
    const std::vector<Table> outer = tables(still_, strides), inner = tables(moving_, strides);
    return with_storage_type(tensor_.dtype, [&](auto* type) {
      const auto* entries = static_cast<decltype(type)>(data);
      Odometer starts(pointers(outer));
      double total = 0.0;
      std::vector<Sums> sums;
      for (std::int64_t left = starts.combinations(); left > 0; --left) {
        std::int64_t start = 0;
        starts.next(1, &start);
        sums.assign(count_, Sums{});
        add_all(entries + start, inner, sums);
        for (const Sums& each : sums) total += each.squares_about_mean();
      }
      return total;
    });
  }

 private:
  std::vector<Table> tables(const std::vector<std::size_t>& axes,
                            const std::vector<std::int64_t>& strides) const {
    std::vector<Table> found;
    found.reserve(axes.size());
    for (const std::size_t axis : axes) found.push_back(scaled(tensor_.shape[axis], strides[axis]));
    return found;
  }

  static std::vector<const Table*> pointers(const std::vector<Table>& tables) {
    std::vector<const Table*> found;
    found.reserve(tables.size());
    for (const Table& table : tables) found.push_back(&table);
    return found;
  }

  template <class Source>
  void add_all(const Source* entries, const std::vector<Table>& inner, std::vector<Sums>& sums) const {
    std::vector<const Table*> offsets = pointers(inner), classes;
    for (const Classes& each : classes_) classes.push_back(&each.of);
    const Table &last_offsets = *offsets.back(), &last_classes = *classes.back();
    offsets.pop_back();
    classes.pop_back();
    Odometer rows(std::move(offsets)), row_classes(std::move(classes));
    for (std::int64_t left = rows.combinations(); left > 0; --left) {
      std::int64_t row = 0, of_row = 0;
      rows.next(1, &row);
      row_classes.next(1, &of_row);
      for (std::size_t i = 0; i < last_offsets.size(); ++i) {
        sums[of_row + last_classes[i]].add(static_cast<double>(widen(entries[row + last_offsets[i]])));
      }
    }
  }

  const Tensor& tensor_;
  std::vector<std::size_t> still_, moving_;
  std::vector<Classes> classes_;  // of the axes that move, each times the classes of those behind it
  std::int64_t count_ = 1;
};

}  // namespace

double spread_of_objective(const Problem& problem, Interrupt& interrupt) {
  double spread = 0.0;
  for (const Tensor& tensor : problem.tensors) {
    if (interrupt.requested()) break;
    const Axes axes(tensor);
    if (axes.none_moves()) continue;
    spread += std::sqrt(axes.squares_about_means(tensor.a, tensor.a_strides)) *
              std::sqrt(axes.squares_about_means(tensor.b, tensor.b_strides));
  }
  return spread;
}

}  // namespace rebasin
