"""Frank-Wolfe matching: permutations relaxed to averages of permutations."""
