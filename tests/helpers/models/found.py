"""The permutations of a spec, counted as ``symmetries`` counts the expected ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rebasin_fast.specs.spec import PermutationSpec

from .symmetries import Symmetries


def found_in(spec: PermutationSpec, model: Any) -> Symmetries:
    """Sizes of all permutations, and of those that they stand within."""
    sizes = spec.sizes(model.state_dict())
    return Counter(
        (size, tuple(sizes[outer] for outer in spec.parents[name])) for name, size in sizes.items()
    )


def difference(expected: Symmetries, found: Symmetries) -> str:
    """Missing and unexpected symmetries in words; empty when the two agree."""
    lines = [f"missing: {_said(expected - found)}"] if expected - found else []
    lines += [f"unexpected: {_said(found - expected)}"] if found - expected else []
    return "; ".join(lines)


def _said(symmetries: Symmetries) -> str:
    return ", ".join(
        f"{times} of {size}" + "".join(f" within {outer}" for outer in reversed(within))
        for (size, within), times in sorted(symmetries.items())
    )
