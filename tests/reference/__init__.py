"""Slow, obvious implementations of the package's fast paths: tests and benchmarks compare to them."""
