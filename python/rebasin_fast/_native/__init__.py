"""Access to compiled code: the BLAS by address, the CUDA module on first use."""
