#include "cost/similarity.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "cost/moved_positions.hpp"
#include "cost/odometer.hpp"
#include "stopwatch.hpp"

namespace rebasin {
namespace {

constexpr std::int64_t panel_entries = std::int64_t{1} << 20;
constexpr std::int64_t least_panel_columns = 256;
constexpr double most_flop_at_once =
    2e10;  // BLAS cannot be interrupted: a fraction of a second of it at a time
constexpr std::int64_t narrow_limit =
    32;  // below, a product of its own would be all traffic on the similarity

// The common difference of a sequence, or -1 if it has none (or is negative).
std::int64_t step_of(const std::vector<std::int64_t>& offsets, std::int64_t count) {
  if (count < 2) return 1;
  const std::int64_t step = offsets[1] - offsets[0];
  for (std::int64_t i = 2; i < count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (offsets[k] - offsets[k - 1] != step) return -1;
  }
  return step;
}

}  // namespace

template <class T>
void Similarity<T>::begin(std::int64_t units, T* similarity, bool empty) {
  units_ = units;
  similarity_ = similarity;
  empty_ = empty;
  narrow_columns_ = 0;
  a_narrow_.clear();
  b_narrow_.clear();
}

template <class T>
Status Similarity<T>::compute(std::int64_t units, const std::vector<Occurrence>& occurrences,
                              const Gather& gather, T* similarity, Interrupt& interrupt) {
  begin(units, similarity, true);
  for (const Occurrence& occurrence : occurrences) {
    const Status status = add(occurrence, gather, interrupt);
    if (status != Status::ok) return status;
  }
  return finish(interrupt);
}

template <class T>
Status Similarity<T>::add(const Occurrence& occurrence, const Gather& gather, Interrupt& interrupt) {
  Columns columns;
  for (std::size_t axis = 0; axis < problem_.tensors[occurrence.tensor].shape.size(); ++axis) {
    if (static_cast<std::int32_t>(axis) == occurrence.axis) continue;
    columns.a.push_back(&gather.a_offsets(occurrence.tensor, axis));
    columns.b.push_back(&gather.b_offsets(occurrence.tensor, axis));
  }
  return add_columns(occurrence, columns, interrupt);
}

template <class T>
Status Similarity<T>::add_changes(const Occurrence& occurrence, const Gather& gather,
                                  const OffsetTables& before, Interrupt& interrupt) {
  Columns columns;
  std::vector<std::size_t> changed;  // places in `columns`
  for (std::size_t axis = 0; axis < before.size(); ++axis) {
    if (static_cast<std::int32_t>(axis) == occurrence.axis) continue;
    if (gather.b_offsets(occurrence.tensor, axis) != before[axis]) changed.push_back(columns.a.size());
    columns.a.push_back(&gather.a_offsets(occurrence.tensor, axis));
    columns.b.push_back(&gather.b_offsets(occurrence.tensor, axis));
    columns.before.push_back(&before[axis]);
  }
  if (changed.empty()) return Status::ok;
  if (changed.size() > 1) return add_columns(occurrence, columns, interrupt);

  const std::size_t place = changed.front();
  const MovedPositions moved(*columns.a[place], *columns.b[place], *columns.before[place]);
  columns.a[place] = &moved.a;
  columns.b[place] = &moved.b;
  columns.before[place] = &moved.before;
  return add_columns(occurrence, columns, interrupt);
}

template <class T>
Status Similarity<T>::add_columns(const Occurrence& occurrence, const Columns& columns,
                                  Interrupt& interrupt) {
  const Tensor& tensor = problem_.tensors[occurrence.tensor];
  const bool differences = !columns.before.empty();
  Odometer a_columns(columns.a), b_columns(columns.b), before_columns(columns.before);

  const auto axis = static_cast<std::size_t>(occurrence.axis);
  a_.data = tensor.a;
  b_.data = tensor.b;
  a_.units.resize(occurrence.a_positions.size());
  b_.units.resize(occurrence.b_positions.size());
  for (std::size_t i = 0; i < occurrence.a_positions.size(); ++i) {
    a_.units[i] = occurrence.a_positions[i] * tensor.a_strides[axis];
    b_.units[i] = occurrence.b_positions[i] * tensor.b_strides[axis];
  }

  const std::int64_t total = a_columns.combinations();
  const std::int64_t most = std::max(least_panel_columns, panel_entries / units_) / occurrence.copies;
  const std::int64_t chunk = std::clamp(most, std::int64_t{1}, std::max(total, std::int64_t{1}));
  a_.columns.offsets.resize(chunk);
  b_.columns.offsets.resize(chunk);
  b_.before.offsets.resize(differences ? static_cast<std::size_t>(chunk) : 0);
  for (std::int64_t done = 0; done < total; done += chunk) {
    if (interrupt.requested()) return Status::interrupted;
    const std::int64_t count = std::min(chunk, total - done);
    a_columns.next(count, a_.columns.offsets.data());
    b_columns.next(count, b_.columns.offsets.data());
    if (differences) before_columns.next(count, b_.before.offsets.data());
    counters_.columns += count * occurrence.copies;
    if (total * occurrence.copies < narrow_limit) {
      collect(a_, tensor.dtype, occurrence.copies, count, a_narrow_);
      collect(b_, tensor.dtype, occurrence.copies, count, b_narrow_);
      narrow_columns_ += count * occurrence.copies;
    } else {
      const Status status =
          multiply(operand(a_, tensor.dtype, occurrence.copies, count),
                   operand(b_, tensor.dtype, occurrence.copies, count), count * occurrence.copies, interrupt);
      if (status != Status::ok) return status;
    }
  }
  return Status::ok;
}

template <class T>
typename Similarity<T>::Operand Similarity<T>::operand(Side& side, DType dtype, std::int64_t copies,
                                                       std::int64_t columns) {
  const std::int64_t unit_step = copies == 1 ? step_of(side.units, units_) : -1;
  const std::int64_t column_step = step_of(side.columns.offsets, columns);
  const bool unit_major = column_step == 1 || unit_step != 1;
  if (dtype == floating_dtype<T> && side.before.offsets.empty()) {
    const T* start = static_cast<const T*>(side.data) + side.units[0] + side.columns.offsets[0];
    const std::int64_t leading = unit_major ? unit_step : column_step;
    const std::int64_t least = unit_major ? columns : units_;
    const bool adjacent = unit_major ? column_step == 1 : unit_step == 1;
    if (adjacent && leading >= least && leading <= std::numeric_limits<int>::max()) {
      return {start, leading, unit_major};
    }
  }
  side.panel.resize(units_ * columns * copies);
  fill(side, dtype, copies, columns, unit_major, side.panel.data());
  return {side.panel.data(), unit_major ? columns * copies : units_, unit_major};
}

template <class T>
void Similarity<T>::collect(Side& side, DType dtype, std::int64_t copies, std::int64_t columns,
                            std::vector<T>& panel) {
  const std::size_t before = panel.size();
  panel.resize(before + static_cast<std::size_t>(units_ * columns * copies));
  fill(side, dtype, copies, columns, false, panel.data() + before);
}

template <class T>
void Similarity<T>::fill(Side& side, DType dtype, std::int64_t copies, std::int64_t columns, bool unit_major,
                         T* panel) {
  const Stopwatch watch(counters_.packing_seconds);
  counters_.packed_bytes += static_cast<double>(units_ * columns * copies) * sizeof(T);
  if (unit_major) {
    side.columns.find_runs(columns);
    if (!side.before.offsets.empty()) side.before.find_runs(columns);
  }
  const bool adjacent = copies == 1 && step_of(side.units, units_) == 1;
  const PanelSource panel_source{side.units, side.columns, side.before, units_, copies, columns, adjacent};
  with_storage_type(dtype, [&](auto* type) {
    pack(static_cast<decltype(type)>(side.data), panel_source, unit_major, panel);
  });
}

template <class T>
Status Similarity<T>::finish(Interrupt& interrupt) {
  if (narrow_columns_ > 0) {
    const Status status = multiply({a_narrow_.data(), units_, false}, {b_narrow_.data(), units_, false},
                                   narrow_columns_, interrupt);
    if (status != Status::ok) return status;
  }
  if (empty_) std::fill_n(similarity_, units_ * units_, T{0});
  return Status::ok;
}

template <class T>
Status Similarity<T>::multiply(const Operand& a, const Operand& b, std::int64_t columns,
                               Interrupt& interrupt) {
  // BLAS is column-major: it forms the transpose, pi(B) . A^T, in the same memory.
  char b_flag = b.unit_major ? 'T' : 'N';
  char a_flag = a.unit_major ? 'N' : 'T';
  int n = static_cast<int>(units_), k = static_cast<int>(columns);
  int a_leading = static_cast<int>(a.leading), b_leading = static_cast<int>(b.leading);
  T one{1}, beta{empty_ ? T{0} : T{1}};
  const double flop_per_unit = 2.0 * static_cast<double>(units_) * static_cast<double>(columns);
  const auto piece = static_cast<std::int64_t>(std::max(1.0, most_flop_at_once / flop_per_unit));
  for (std::int64_t first = 0; first < units_; first += piece) {
    if (first > 0 && interrupt.requested()) return Status::interrupted;
    int m = static_cast<int>(std::min(piece, units_ - first));
    const T* rows = a.data + first * (a.unit_major ? a.leading : 1);
    gemm_(&b_flag, &a_flag, &n, &m, &k, &one, const_cast<T*>(b.data), &b_leading, const_cast<T*>(rows),
          &a_leading, &beta, similarity_ + first * units_, &n);
  }
  empty_ = false;
  counters_.flop += flop_per_unit * static_cast<double>(units_);
  return Status::ok;
}

template class Similarity<float>;
template class Similarity<double>;

}  // namespace rebasin
