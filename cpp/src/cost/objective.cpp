#include "cost/objective.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "cost/odometer.hpp"

namespace rebasin {
namespace {

constexpr std::int64_t lanes = 8;  // independent sums: as many as a vector register and its latency want

constexpr std::int64_t rows_at_once = 256;

// A joined axis is a table of 8 bytes an entry, of a length that a cache holds; not of a whole tensor.
constexpr std::size_t longest_joined_axis = 4096;

using Lanes = std::array<double, lanes>;
using Table = std::vector<std::int64_t>;

// How one position of the last axis is reached: by its place, or through a table.
struct Adjacent {
  std::int64_t operator[](std::int64_t i) const { return i; }
};

// Adds a[i] * b[i] over a row; `reach_a` and `reach_b` say where i lies.
template <class Source, class Reach>
void add_row(const Source* a, Reach reach_a, const Source* b, Reach reach_b, std::int64_t count,
             Lanes& sums) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      sums[static_cast<std::size_t>(lane)] +=
          static_cast<double>(widen(a[reach_a[i + lane]])) * static_cast<double>(widen(b[reach_b[i + lane]]));
    }
  }
  for (; i < count; ++i) {
    sums[static_cast<std::size_t>(i % lanes)] +=
        static_cast<double>(widen(a[reach_a[i]])) * static_cast<double>(widen(b[reach_b[i]]));
  }
}

// Adds a[i] * (b[i] - was[i]).
template <class Source, class Reach>
void add_row_change(const Source* a, Reach reach_a, const Source* b, Reach reach_b, const Source* was,
                    Reach reach_was, std::int64_t count, Lanes& sums) {
  const auto term = [&](std::int64_t i) {
    return static_cast<double>(widen(a[reach_a[i]])) *
           (static_cast<double>(widen(b[reach_b[i]])) - static_cast<double>(widen(was[reach_was[i]])));
  };
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) sums[static_cast<std::size_t>(lane)] += term(i + lane);
  }
  for (; i < count; ++i) sums[static_cast<std::size_t>(i % lanes)] += term(i);
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
  std::int64_t operator[](std::int64_t row) const { return starts_[static_cast<std::size_t>(row)]; }

 private:
  Odometer odometer_;
  std::int64_t rows_;
  std::array<std::int64_t, rows_at_once> starts_{};
};

template <class Source>
double dot(const Source* a, const std::vector<const Table*>& a_tables, const Source* b,
           const std::vector<const Table*>& b_tables) {
  if (a_tables.empty()) return static_cast<double>(widen(*a)) * static_cast<double>(widen(*b));
  Rows a_rows(a_tables), b_rows(b_tables);
  const Table &a_last = *a_tables.back(), &b_last = *b_tables.back();
  const auto length = static_cast<std::int64_t>(a_last.size());
  const bool adjacent = is_adjacent(a_last) && is_adjacent(b_last);
  Lanes sums{};
  for (std::int64_t done = 0; done < a_rows.count(); done += rows_at_once) {
    const std::int64_t count = a_rows.next(done);
    b_rows.next(done);
    for (std::int64_t row = 0; row < count; ++row) {
      const Source *a_row = a + a_rows[row], *b_row = b + b_rows[row];
      if (adjacent) {
        add_row(a_row, Adjacent{}, b_row, Adjacent{}, length, sums);
      } else {
        add_row(a_row, a_last.data(), b_row, b_last.data(), length, sums);
      }
    }
  }
  return total_of(sums);
}

template <class Source>
double dot_change(const Source* a, const std::vector<const Table*>& a_tables, const Source* b,
                  const std::vector<const Table*>& b_tables, const std::vector<const Table*>& was_tables) {
  Rows a_rows(a_tables), b_rows(b_tables), was_rows(was_tables);
  const Table &a_last = *a_tables.back(), &b_last = *b_tables.back(), &was_last = *was_tables.back();
  const auto length = static_cast<std::int64_t>(a_last.size());
  const bool adjacent = is_adjacent(a_last) && is_adjacent(b_last) && is_adjacent(was_last);
  Lanes sums{};
  for (std::int64_t done = 0; done < a_rows.count(); done += rows_at_once) {
    const std::int64_t count = a_rows.next(done);
    b_rows.next(done);
    was_rows.next(done);
    for (std::int64_t row = 0; row < count; ++row) {
      const Source *a_row = a + a_rows[row], *b_row = b + b_rows[row], *was_row = b + was_rows[row];
      if (adjacent) {
        add_row_change(a_row, Adjacent{}, b_row, Adjacent{}, was_row, Adjacent{}, length, sums);
      } else {
        add_row_change(a_row, a_last.data(), b_row, b_last.data(), was_row, was_last.data(), length, sums);
      }
    }
  }
  return total_of(sums);
}

// Joins the last axes of all tensors into one, as long as each lies in memory as one and it stays short.
// `joined` is what the last axis then points to.
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

// The same entries of three tables: those at which the last two differ.
struct MovedPositions {
  Table a, b, before;

  MovedPositions(const Table& all_a, const Table& all_b, const Table& all_before) {
    for (std::size_t x = 0; x < all_b.size(); ++x) {
      if (all_b[x] == all_before[x]) continue;
      a.push_back(all_a[x]);
      b.push_back(all_b[x]);
      before.push_back(all_before[x]);
    }
  }
};

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
  // Where several axes moved, what stayed on one of them may have moved on another: all is read.
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
    return dot_change(static_cast<Pointer>(view.a), a, static_cast<Pointer>(view.b), b, was);
  });
}

}  // namespace rebasin
