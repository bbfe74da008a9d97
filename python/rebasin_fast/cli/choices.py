"""How to match, as chosen on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from rebasin_fast.cli.options import DEFAULT_EFFORT, DEFAULT_MAX_ITER
from rebasin_fast.matching.weight.descent import Effort


@dataclass(frozen=True)
class MatchingChoices:
    """The options of ``matching_options``."""

    spec_name: str
    trace: Callable[[], Any] | None
    heads: int | None
    norm_groups: int | None
    layers: str | None
    seed: int
    restarts: int
    effort: Effort
    max_iter: int
    threads: int | None
    memory_limit: int | None
    no_strict: bool

    def refuse_unheard(self, method: str, heard_by: Mapping[str, tuple[str, ...]]) -> None:
        """UsageError for an option that was given and that ``method`` would not hear."""
        given = {
            "--restarts": self.restarts != 1,
            "--effort": self.effort != DEFAULT_EFFORT,
            "--max-iter": self.max_iter != DEFAULT_MAX_ITER,
            "--memory-limit": self.memory_limit is not None,
        }
        for option, methods in heard_by.items():
            if given[option] and method not in methods:
                raise click.UsageError(f"{option} is for --method {', '.join(methods)}; got {method}")
