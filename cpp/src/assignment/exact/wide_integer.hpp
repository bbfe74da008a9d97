// Two's complement integers of a fixed number of 64-bit words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace rebasin::assignment {

// Arithmetic is modulo 2^(64 words), as that of the built-in unsigned types; comparisons are signed.
template <int words>
struct WideInteger {
  std::array<std::uint64_t, words> word{};  // the least significant first

  bool negative() const { return static_cast<std::int64_t>(word[words - 1]) < 0; }

  WideInteger& operator+=(const WideInteger& other) {
    std::uint64_t carry = 0;
    for (std::size_t k = 0; k < words; ++k) {
      const std::uint64_t sum = word[k] + carry;
      carry = sum < carry ? 1 : 0;
      word[k] = sum + other.word[k];
      carry += word[k] < sum ? 1 : 0;
    }
    return *this;
  }

  WideInteger& operator-=(const WideInteger& other) {
    std::uint64_t borrow = 0;
    for (std::size_t k = 0; k < words; ++k) {
      const std::uint64_t first = word[k] - borrow;
      borrow = first > word[k] ? 1 : 0;
      word[k] = first - other.word[k];
      borrow += word[k] > first ? 1 : 0;
    }
    return *this;
  }

  friend WideInteger operator+(WideInteger a, const WideInteger& b) { return a += b; }
  friend WideInteger operator-(WideInteger a, const WideInteger& b) { return a -= b; }
  friend bool operator==(const WideInteger& a, const WideInteger& b) { return a.word == b.word; }
  friend bool operator<(const WideInteger& a, const WideInteger& b) {
    if (a.word[words - 1] != b.word[words - 1]) {
      return static_cast<std::int64_t>(a.word[words - 1]) < static_cast<std::int64_t>(b.word[words - 1]);
    }
    for (std::size_t k = words - 1; k-- > 0;) {
      if (a.word[k] != b.word[k]) return a.word[k] < b.word[k];
    }
    return false;
  }

  // Adds or subtracts magnitude * 2^shift; modulo the integer's range.
  void add_shifted(bool subtract, std::uint64_t magnitude, int shift) {
    const std::size_t first = static_cast<std::size_t>(shift) / 64;
    const int bit = shift % 64;
    if (first >= words) return;
    const std::uint64_t low = magnitude << bit;
    const std::uint64_t high = bit == 0 ? 0 : magnitude >> (64 - bit);
    subtract ? subtract_at(first, low, high) : add_at(first, low, high);
  }

 private:
  void add_at(std::size_t first, std::uint64_t low, std::uint64_t high) {
    word[first] += low;
    std::uint64_t carry = word[first] < low ? 1 : 0;
    if (first + 1 >= words) return;
    const std::uint64_t next = high + carry;  // no overflow: high < 2^63
    word[first + 1] += next;
    carry = word[first + 1] < next ? 1 : 0;
    for (std::size_t k = first + 2; carry != 0 && k < words; ++k) carry = ++word[k] == 0 ? 1 : 0;
  }

  void subtract_at(std::size_t first, std::uint64_t low, std::uint64_t high) {
    std::uint64_t borrow = word[first] < low ? 1 : 0;
    word[first] -= low;
    if (first + 1 >= words) return;
    const std::uint64_t next = high + borrow;
    borrow = word[first + 1] < next ? 1 : 0;
    word[first + 1] -= next;
    for (std::size_t k = first + 2; borrow != 0 && k < words; ++k) borrow = word[k]-- == 0 ? 1 : 0;
  }
};

}  // namespace rebasin::assignment
