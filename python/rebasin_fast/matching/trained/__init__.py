"""Matchings that are learnt by gradient steps, and what they share."""
