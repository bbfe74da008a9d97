"""The straight-through estimator, algorithm 2 of Git Re-Basin."""
