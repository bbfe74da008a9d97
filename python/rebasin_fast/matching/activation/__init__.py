"""Activation matching: what units do on the same data."""
