#include "cost/objective.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "cost/moved_positions.hpp"
#include "cost/odometer.hpp"

namespace rebasin {
namespace {

constexpr std::int64_t lanes = 8;  // independent sums: as many as a vector register and its latency need

constexpr std::int64_t rows_at_once = 256;

// A joined axis is a table of 8 bytes an entry, of a length that a cache holds; not of a whole tensor.
constexpr std::size_t longest_joined_axis = 4096;

using Lanes = std::array<double, lanes>;
using Table = std::vector<std::int64_t>;

// The reach of an axis whose entries are adjacent; of other axes it is a table.
struct Adjacent {
  std::int64_t operator[](std::int64_t i) const { return i; }
};

// Adds term(i) for every i < count.
template <class Term>
void add_terms(std::int64_t count, Lanes& sums, const Term& term) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) sums[lane] += term(i + lane);
  }
  for (; i < count; ++i) sums[i % lanes] += term(i);
}

// Adds a[i] * b[i] over a row, or a[i] * (b[i] - was[i]) where `was` is not null. The reaches map i to
// places.
template <class Source, class Reach>
void add_row(const Source* a, Reach reach_a, const Source* b, Reach reach_b, const Source* was,
             Reach reach_was, std::int64_t count, Lanes& sums) {
  const auto at = [](const Source* from, Reach reach, std::int64_t i) {
    return static_cast<double>(widen(from[reach[i]]));
  };
  if (was == nullptr) {
    add_terms(count, sums, [&](std::int64_t i) { return at(a, reach_a, i) * at(b, reach_b, i); });
  } else {
    add_terms(count, sums, [&](std::int64_t i) {
      return at(a, reach_a, i) * (at(b, reach_b, i) - at(was, reach_was, i));
    });
  }
}

bool steps_by(const Table& offsets, std::int64_t step) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] != static_cast<std::int64_t>(i) * step) return false;
  }
  return true;
}

bool is_adjacent(const Table& offsets) {
  return steps_by(offsets, 1);
}

double total_of(const Lanes& sums) {
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}

std::vector<const Table*> outer_axes(const std::vector<const Table*>& tables) {
  return {tables.begin(), tables.end() - 1};
}

// The starts of all rows along the last axis, some at a time.
class Rows {
 public:
  explicit Rows(const std::vector<const Table*>& tables)
      : odometer_(outer_axes(tables)), rows_(tables.back()->empty() ? 0 : odometer_.combinations()) {}

  std::int64_t count() const { return rows_; }
  std::int64_t next(std::int64_t done) {
    const std::int64_t count = std::min(rows_at_once, rows_ - done);
    odometer_.next(count, starts_.data());
    return count;
  }
  std::int64_t operator[](std::int64_t row) const { return starts_[row]; }

 private:
  Odometer odometer_;
  std::int64_t rows_;
  std::array<std::int64_t, rows_at_once> starts_{};
};

// The sum of a * b over all entries; of a * (b - was) where `was_tables` is not null: b in an earlier order.
template <class Source>
double dot(const Source* a, const std::vector<const Table*>& a_tables, const Source* b,
           const std::vector<const Table*>& b_tables, const std::vector<const Table*>* was_tables = nullptr) {
  if (a_tables.empty()) return static_cast<double>(widen(*a)) * static_cast<double>(widen(*b));
  const bool change = was_tables != nullptr;
  const std::vector<const Table*>& third = change ? *was_tables : b_tables;
  Rows a_rows(a_tables), b_rows(b_tables), was_rows(third);
  const Table &a_last = *a_tables.back(), &b_last = *b_tables.back(), &was_last = *third.back();
  const auto length = static_cast<std::int64_t>(a_last.size());
  const bool adjacent = is_adjacent(a_last) && is_adjacent(b_last) && (!change || is_adjacent(was_last));
  Lanes sums{};
  for (std::int64_t done = 0; done < a_rows.count(); done += rows_at_once) {
    const std::int64_t count = a_rows.next(done);
    b_rows.next(done);
    if (change) was_rows.next(done);
    for (std::int64_t row = 0; row < count; ++row) {
      const Source *a_row = a + a_rows[row], *b_row = b + b_rows[row];
      const Source* was_row = change ? b + was_rows[row] : nullptr;
      if (adjacent) {
        add_row(a_row, Adjacent{}, b_row, Adjacent{}, was_row, Adjacent{}, length, sums);
      } else {
        add_row(a_row, a_last.data(), b_row, b_last.data(), was_row, was_last.data(), length, sums);
      }
    }
  }
  return total_of(sums);
}

// Joins the last axes of all tensors into one, as long as each lies in memory as one and it stays short.
// `joined` is the table of the last axis then.
void join_last_axes(std::vector<std::vector<const Table*>*> tensors, Table& joined) {
  const std::vector<const Table*>& first = *tensors.front();
  std::size_t length = 1, axes = 0;
  for (; axes < first.size(); ++axes) {
    const std::size_t axis = first.size() - 1 - axes;
    if (axes > 0 && length * first[axis]->size() > longest_joined_axis) break;
    const bool as_one = std::all_of(tensors.begin(), tensors.end(), [&](const auto* tables) {
      return steps_by(*(*tables)[axis], static_cast<std::int64_t>(length));
    });
    if (!as_one) break;
    length *= first[axis]->size();
  }
  if (axes < 2) return;
  joined.resize(length);
  std::iota(joined.begin(), joined.end(), 0);
  for (auto* tables : tensors) {
    tables->resize(tables->size() - axes);
    tables->push_back(&joined);
  }
}

std::vector<const Table*> pointers_to(const OffsetTables& tables) {
  std::vector<const Table*> pointers;
  for (const Table& table : tables) pointers.push_back(&table);
  return pointers;
}

}  // namespace

double tensor_objective(const Problem& problem, const Gather& gather, std::size_t tensor) {
  const Tensor& view = problem.tensors[tensor];
  std::vector<const Table*> a = pointers_to(gather.a_tables(tensor)),
                            b = pointers_to(gather.b_tables(tensor));
  Table joined;
  join_last_axes({&a, &b}, joined);
  return with_storage_type(view.dtype, [&](auto* type) {
    using Pointer = decltype(type);
    return dot(static_cast<Pointer>(view.a), a, static_cast<Pointer>(view.b), b);
  });
}

double tensor_gain(const Problem& problem, const Gather& gather, const OffsetTables& before,
                   std::size_t tensor) {
  const Tensor& view = problem.tensors[tensor];
  std::vector<const Table*> a = pointers_to(gather.a_tables(tensor)),
                            b = pointers_to(gather.b_tables(tensor)), was = pointers_to(before);
  std::vector<std::size_t> moved_axes;
  for (std::size_t axis = 0; axis < b.size(); ++axis) {
    if (*b[axis] != *was[axis]) moved_axes.push_back(axis);
  }
  if (moved_axes.empty()) return 0.0;
  // Where several axes moved, an entry that stayed on one may have moved on another: all are read.
  const std::size_t axis = moved_axes.front();
  const MovedPositions moved(*a[axis], *b[axis], *was[axis]);
  if (moved_axes.size() == 1) {
    a[axis] = &moved.a;
    b[axis] = &moved.b;
    was[axis] = &moved.before;
  }
  Table joined;
  join_last_axes({&a, &b, &was}, joined);
  return with_storage_type(view.dtype, [&](auto* type) {
    using Pointer = decltype(type);
    return dot(static_cast<Pointer>(view.a), a, static_cast<Pointer>(view.b), b, &was);
  });
}

}  // namespace rebasin
