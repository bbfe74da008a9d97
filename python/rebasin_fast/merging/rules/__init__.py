"""Rules by which the parameters of several models become those of one: one file a kind, all found by name."""
