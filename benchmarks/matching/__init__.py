"""Pairs to match, one program on one pair in its own process, curves."""
