#include "cost/objective.hpp"

#include <algorithm>
#include <array>

#include "cost/odometer.hpp"

namespace rebasin {
namespace {

constexpr std::int64_t lanes = 8;  // independent sums: as many as a vector register and its latency want

constexpr std::int64_t rows_at_once = 256;

using Lanes = std::array<double, lanes>;

bool is_contiguous(const std::vector<std::int64_t>& offsets) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

template <class Source>
void add_contiguous(const Source* a, const Source* b, std::int64_t count, Lanes& sums) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      sums[static_cast<std::size_t>(lane)] +=
          static_cast<double>(widen(a[i + lane])) * static_cast<double>(widen(b[i + lane]));
    }
  }
  for (; i < count; ++i) {
    sums[static_cast<std::size_t>(i % lanes)] +=
        static_cast<double>(widen(a[i])) * static_cast<double>(widen(b[i]));
  }
}

template <class Source>
void add_gathered(const Source* a, const std::int64_t* a_offsets, const Source* b,
                  const std::int64_t* b_offsets, std::int64_t count, Lanes& sums) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      sums[static_cast<std::size_t>(lane)] += static_cast<double>(widen(a[a_offsets[i + lane]])) *
                                              static_cast<double>(widen(b[b_offsets[i + lane]]));
    }
  }
  for (; i < count; ++i) {
    sums[static_cast<std::size_t>(i % lanes)] +=
        static_cast<double>(widen(a[a_offsets[i]])) * static_cast<double>(widen(b[b_offsets[i]]));
  }
}

template <class Source>
double dot(const Source* a, const Source* b, const Problem& problem, const Gather& gather,
           std::size_t tensor) {
  const std::size_t rank = problem.tensors[tensor].shape.size();
  if (rank == 0) return static_cast<double>(widen(*a)) * static_cast<double>(widen(*b));

  std::vector<const std::vector<std::int64_t>*> a_tables, b_tables;
  for (std::size_t axis = 0; axis + 1 < rank; ++axis) {
    a_tables.push_back(&gather.a_offsets(tensor, axis));
    b_tables.push_back(&gather.b_offsets(tensor, axis));
  }
  Odometer a_rows(a_tables), b_rows(b_tables);
  const std::vector<std::int64_t>& a_inner = gather.a_offsets(tensor, rank - 1);
  const std::vector<std::int64_t>& b_inner = gather.b_offsets(tensor, rank - 1);
  const auto length = static_cast<std::int64_t>(a_inner.size());
  const bool contiguous = is_contiguous(a_inner) && is_contiguous(b_inner);

  Lanes sums{};
  std::array<std::int64_t, rows_at_once> a_starts{}, b_starts{};
  const std::int64_t rows = length == 0 ? 0 : a_rows.combinations();
  for (std::int64_t done = 0; done < rows; done += rows_at_once) {
    const std::int64_t count = std::min(rows_at_once, rows - done);
    a_rows.next(count, a_starts.data());
    b_rows.next(count, b_starts.data());
    for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
      if (contiguous) {
        add_contiguous(a + a_starts[row], b + b_starts[row], length, sums);
      } else {
        add_gathered(a + a_starts[row], a_inner.data(), b + b_starts[row], b_inner.data(), length, sums);
      }
    }
  }
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

double tensor_objective(const Problem& problem, const Gather& gather, std::size_t tensor) {
  const Tensor& view = problem.tensors[tensor];
  return with_storage_type(view.dtype, [&](auto* type) {
    using Pointer = decltype(type);
    return dot(static_cast<Pointer>(view.a), static_cast<Pointer>(view.b), problem, gather, tensor);
  });
}

}  // namespace rebasin
