// Enumerates the offsets of all index combinations over some axes, last axis fastest.
#pragma once

#include <cstdint>
#include <vector>

namespace rebasin {

class Odometer {
 public:
  // `tables[k]` holds the offset of each position of axis k; the tables must outlive the odometer.
  explicit Odometer(std::vector<const std::vector<std::int64_t>*> tables)
      : tables_(std::move(tables)), digits_(tables_.size(), 0) {}

  std::int64_t combinations() const {
    std::int64_t count = 1;
    for (const auto* table : tables_) count *= static_cast<std::int64_t>(table->size());
    return count;
  }

  // Writes the next `count` offsets; no more than there are combinations.
  void next(std::int64_t count, std::int64_t* offsets) {
    std::int64_t written = 0;
    while (written < count) {
      if (tables_.empty()) {
        offsets[written++] = 0;
        continue;
      }
      const std::vector<std::int64_t>& fastest = *tables_.back();
      const std::int64_t base = sum_of_slower_digits();
      std::size_t& digit = digits_.back();
      while (written < count && digit < fastest.size()) offsets[written++] = base + fastest[digit++];
      carry();
    }
  }

 private:
  std::int64_t sum_of_slower_digits() const {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k + 1 < tables_.size(); ++k) sum += (*tables_[k])[digits_[k]];
    return sum;
  }

  void carry() {
    for (std::size_t k = tables_.size() - 1; k > 0 && digits_[k] == tables_[k]->size(); --k) {
      digits_[k] = 0;
      ++digits_[k - 1];
    }
  }

  std::vector<const std::vector<std::int64_t>*> tables_;
  std::vector<std::size_t> digits_;
};

}  // namespace rebasin
