// A test is a TEST(name) block in any *_test.cpp; CHECK fails it and names the line. main.cpp runs them all.
#pragma once

#include <cstdio>
#include <vector>

namespace rebasin::test {

struct Case {
  const char* name;
  void (*body)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Registration {
  Registration(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

inline void check(bool held, const char* expression, const char* file, int line) {
  if (held) return;
  ++failures();
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, expression);
}

}  // namespace rebasin::test

#define TEST(name)                                                              \
  static void test_##name();                                                    \
  static const rebasin::test::Registration register_##name{#name, test_##name}; \
  static void test_##name()

#define CHECK(expression) rebasin::test::check(static_cast<bool>(expression), #expression, __FILE__, __LINE__)
