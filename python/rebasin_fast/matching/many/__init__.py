"""Many models in one order of units."""
