"""The parameters of several models, combined: on a line, in an average, by a distance."""
