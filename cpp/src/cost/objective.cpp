#include "cost/objective.hpp"

#include <array>

#include "cost/odometer.hpp"

namespace rebasin {
namespace {

constexpr std::int64_t lanes = 8;  // independent sums: as many as a vector register and its latency want

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
  const std::int64_t rows = length == 0 ? 0 : a_rows.combinations();
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t a_start = 0, b_start = 0;
    a_rows.next(1, &a_start);
    b_rows.next(1, &b_start);
    if (contiguous) {
      add_contiguous(a + a_start, b + b_start, length, sums);
    } else {
      add_gathered(a + a_start, a_inner.data(), b + b_start, b_inner.data(), length, sums);
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
