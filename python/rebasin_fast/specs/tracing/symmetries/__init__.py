"""Groups that act on units, derived from the operations of a program."""
