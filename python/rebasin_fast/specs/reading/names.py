"""What names of layers tell."""

from __future__ import annotations

import re


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts ``fc10`` after ``fc9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
