"""The smallest input of every kind of fault that a reader had, with the error that it gives now.

`corpus.json` holds the bytes in base64. A new one: ``fuzz_readers --case SEED --keep FOLDER`` writes the files of a
failure; make them as small as the fault allows, and add them with the words of the error to expect.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rebasin_fast import errors

from .bytes_changed import changed
from .case import PERMUTATION_ERRORS, Case, Reader, read_heads, read_params, read_permutation
from .specs import read_spec

_READERS: dict[str, tuple[Reader, tuple[type[Exception], ...]]] = {
    "params": (read_params, (errors.FileFormatError,)),
    "permutation": (read_permutation, PERMUTATION_ERRORS),
    "spec": (read_spec, (errors.SpecError,)),
    "heads": (read_heads, (errors.FileFormatError,)),
}


@dataclass(frozen=True)
class Known:
    """A case, and the class of its error with words of the message; None where the file is read."""

    case: Case
    error: type[Exception] | None
    words: str


@lru_cache(maxsize=1)
def corpus() -> dict[str, Known]:
    """The cases by the fault that they had."""
    found = json.loads(Path(__file__).with_name("corpus.json").read_text(encoding="utf-8"))
    return {fault: _known(**description) for fault, description in found.items()}


def _known(files: dict[str, str], opened: str, reader: str, error: str | None, words: str) -> Known:
    contents = {name: base64.b64decode(content) for name, content in files.items()}
    return Known(Case(contents, opened, *_READERS[reader]), getattr(errors, error) if error else None, words)


def case(draw: random.Random) -> Case:
    """One of the corpus with some bytes changed."""
    known = corpus()[draw.choice(sorted(corpus()))].case
    name = draw.choice(sorted(known.files))
    return Case(
        known.files | {name: changed(draw, known.files[name], 3)}, known.opened, known.reader, known.errors
    )
