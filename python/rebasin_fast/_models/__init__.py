"""torch models of the users: run as they are, as a function of their parameters, in float64."""
