"""Weight matching: permutation coordinate descent, algorithm 1 of Git Re-Basin."""
