"""Layers among parameters, and the chains that they form, by names and shapes."""
