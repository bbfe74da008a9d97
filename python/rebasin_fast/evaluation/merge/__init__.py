"""One model made of several: candidates are matched, repaired and measured, and the best is kept."""
