"""Losses in the plane through three models: its coordinates, its grid, and the result."""
