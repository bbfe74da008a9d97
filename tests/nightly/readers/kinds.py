"""The kinds of cases by name, and one case of a kind from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable

from . import archives, bytes_changed, corpus, hdf5, json_texts, pickles, specs
from .case import Case

KINDS: dict[str, Callable[[random.Random], Case]] = {
    "bytes": bytes_changed.case,
    "corpus": corpus.case,
    "archives": archives.case,
    "pickles": pickles.case,
    "headers": json_texts.header_case,
    "indexes": json_texts.index_case,
    "notes": json_texts.permutation_case,
    "configurations": json_texts.configuration_case,
    "specs": specs.case,
}
if hdf5.available():
    KINDS["hdf5"] = hdf5.case


def case_of(kind: str, seed: str) -> Case:
    """The case of that seed: the same one in every run."""
    return KINDS[kind](random.Random(f"{kind} {seed}"))
