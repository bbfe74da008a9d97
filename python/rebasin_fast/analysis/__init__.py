"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""
