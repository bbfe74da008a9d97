"""Matrices, solvers, interleaved timing and tables of the assignment benchmarks."""
