"""The networks that benchmarks match: real data, trained networks, and shapes filled with random numbers."""
