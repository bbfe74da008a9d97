"""Activation matching: units paired by their activations on the same data."""
