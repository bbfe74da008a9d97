"""Checkpoints of several files: found, read and written."""
