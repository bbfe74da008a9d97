"""Weight matching over permutations, signs and orthogonal matrices: an ascent, one permutation's group at a time."""
