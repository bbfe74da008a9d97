// The matrix product, passed by the caller: Fortran BLAS with 32-bit integers, as SciPy exports it.
#pragma once

namespace rebasin {

template <class T>
using Gemm = void (*)(char* transa, char* transb, int* m, int* n, int* k, T* alpha, T* a, int* lda, T* b,
                      int* ldb, T* beta, T* c, int* ldc);

}  // namespace rebasin
