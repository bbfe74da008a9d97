"""Axis entries, for those who write a spec; see :mod:`rebasin_fast.specs.axis`."""

from rebasin_fast.specs.axis import (
    Concat,
    Entry,
    Fixed,
    Joined,
    Product,
    Slice,
    blocks,
    check_entry,
    merge_joined,
    permutations_of,
    tiled,
)

__all__ = [
    "Concat",
    "Entry",
    "Fixed",
    "Joined",
    "Product",
    "Slice",
    "blocks",
    "check_entry",
    "merge_joined",
    "permutations_of",
    "tiled",
]
