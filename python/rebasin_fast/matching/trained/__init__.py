"""Matchings that are trained by gradient steps, and their shared loop, options and files."""
