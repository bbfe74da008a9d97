"""Networks, problems, checks and stand-ins that several tests, fuzzers and benchmarks use."""
