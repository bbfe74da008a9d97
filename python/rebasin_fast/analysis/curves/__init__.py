"""Curves of low loss between two models: their shapes, their training, and the result."""
