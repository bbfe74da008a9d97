"""Ready specs, one family a file, and the recognition of a family from parameters."""
