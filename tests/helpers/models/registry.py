"""One model of the list: how to build it, and the permutations that its architecture has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .symmetries import Symmetries


@dataclass(frozen=True)
class Model:
    """A model and the symmetries that must be found in it.

    ``small`` models are traced and verified in every run of the tests. The others stand in the table of
    ``benchmarks/trace_models.py``: there a model with a ``narrow`` copy is traced without its weights, and the copy,
    of the same depth, is verified in its place.
    """

    name: str
    build: Callable[[], tuple[Any, Any]]
    expected: Symmetries
    small: bool = True
    narrow: Model | None = None
    weightless: bool = True  # its narrow copy allows that; constants that are looked at for zeros forbid it
