"""Slow, obvious implementations of what the package does fast: tests and benchmarks compare to them."""
