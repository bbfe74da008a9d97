// Runs every test, or those whose name contains the first argument.
#include <cstdio>
#include <cstring>

#include "check.hpp"

int main(int argc, char** argv) {
  const char* wanted = argc > 1 ? argv[1] : "";
  int run = 0;
  for (const auto& test : rebasin::test::cases()) {
    if (std::strstr(test.name, wanted) == nullptr) continue;
    const int before = rebasin::test::failures();
    test.body();
    std::printf("%s %s\n", rebasin::test::failures() == before ? "ok    " : "FAILED", test.name);
    ++run;
  }
  std::printf("%d tests, %d failed checks\n", run, rebasin::test::failures());
  return rebasin::test::failures() == 0 && run > 0 ? 0 : 1;
}
