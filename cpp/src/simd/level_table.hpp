// In a level.cpp, which is compiled once per instruction-set level: the name of the level, and of its table
// of kernels. Without other headers, whose inline functions would be compiled for that level too.
#pragma once

#define REBASIN_JOIN_(a, b) a##b
#define REBASIN_JOIN(a, b) REBASIN_JOIN_(a, b)
#define REBASIN_TEXT_(a) #a
#define REBASIN_TEXT(a) REBASIN_TEXT_(a)

#define REBASIN_LEVEL_TABLE REBASIN_JOIN(kernels_, REBASIN_SIMD_LEVEL)
#define REBASIN_LEVEL_NAME REBASIN_TEXT(REBASIN_SIMD_LEVEL)
