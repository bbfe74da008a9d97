"""Recipes: mergekit's YAML files, as far as they are honoured here."""
