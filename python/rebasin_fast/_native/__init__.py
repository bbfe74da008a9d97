"""The compiled modules and what they borrow: the BLAS by address, the CUDA module on first use."""
