// Rows of a matrix in other memory, fetched at their first use.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "rebasin/candidate_lists.hpp"

namespace rebasin::assignment {

template <class T>
class RowSource {
 public:
  RowSource(std::int64_t rows, std::int64_t columns, FetchRow fetch, void* context)
      : columns_(columns),
        fetch_(fetch),
        context_(context),
        entries_(std::make_unique_for_overwrite<T[]>(rows * columns)),
        here_(rows, 0) {}

  const T* data() const { return entries_.get(); }
  std::int64_t fetched() const { return fetched_; }
  bool failed() const { return failed_; }

  // A row that cannot be fetched reads as zeros; failed() then says so.
  const T* row(std::int64_t i) {
    T* entries = entries_.get() + i * columns_;
    auto& here = here_[i];
    if (here == 0) {
      here = 1;
      ++fetched_;
      if (failed_ || !fetch_(context_, i, entries)) {
        failed_ = true;
        std::fill_n(entries, columns_, T{0});
      }
    }
    return entries;
  }

 private:
  std::int64_t columns_;
  FetchRow fetch_;
  void* context_;
  std::unique_ptr<T[]> entries_;
  std::vector<std::uint8_t> here_;
  std::int64_t fetched_ = 0;
  bool failed_ = false;
};

}  // namespace rebasin::assignment
