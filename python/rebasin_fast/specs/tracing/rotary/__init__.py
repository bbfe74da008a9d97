"""Rotary embeddings: pairs of query and key dimensions that a program multiplies as complex numbers."""
