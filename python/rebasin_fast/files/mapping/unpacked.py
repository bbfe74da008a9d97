"""Arrays that a file holds compressed: unpacked on access, whole and in memory, within the user's limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def bytes_to_unpack(*values: Any) -> int:
    """The memory that reading these parameters, lists and views of them still takes: that of compressed arrays."""
    total = 0
    for value in values:
        if isinstance(value, list | tuple):
            total += bytes_to_unpack(*value)
        elif isinstance(value, Mapping) and not isinstance(value, dict):
            known = getattr(value, "bytes_to_unpack", None)
            total += bytes_to_unpack(*getattr(value, "sources", ())) if known is None else known
    return total


def check_unpacked(needed: int, memory_limit: int | None, where: str) -> None:
    """MemoryError, before anything is unpacked, where that takes more than the limit."""
    if memory_limit is not None and needed > memory_limit:
        raise MemoryError(
            f"{where}: arrays that are compressed take {needed:,} bytes once unpacked; memory_limit is "
            f"{memory_limit:,}. Raise the limit (memory_limit=, on the command line --memory-limit), or save the "
            "parameters once as .safetensors, which is read in place: "
            "rebasin_fast.save_params('new.safetensors', rebasin_fast.load_params(old))"
        )
