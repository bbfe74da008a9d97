"""Text for people at a terminal, in a notebook or in a log: progress bars and tables."""
