"""A case: files in a folder, and what reads them; and whether the reader kept its promises."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rebasin_fast as rf
from rebasin_fast.cli.configuration import heads_beside
from rebasin_fast.errors import FileFormatError, PermutationError, SpecError
from rebasin_fast.files import load_permutation, safetensors_format
from rebasin_fast.files.contents import Contents, Outgoing

MOST_MEMORY = 48 << 20  # of a case; its files are smaller by far
LONGEST_MESSAGE = 4000
Reader = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """Files by name, the one that is opened ("" for the folder), its reader, and the errors that it may give."""

    files: dict[str, bytes]
    opened: str
    reader: Reader
    errors: tuple[type[Exception], ...] = (FileFormatError,)


def fault_of(case: Case, folder: Path, *, watched: bool = True) -> str | None:
    """The promise that the reader broke on these files, or None; ``watched``: with its memory, which takes time."""
    for name, content in case.files.items():
        (folder / name).write_bytes(content)
    if watched:
        tracemalloc.start()
    try:
        case.reader(folder / case.opened)
        return _peak()
    except case.errors as error:
        if case.opened not in str(error) and case.errors == (FileFormatError,):
            return f"the message names no file: {error}"
        return f"a message of {len(str(error))} characters" if len(str(error)) > LONGEST_MESSAGE else _peak()
    except Exception as error:  # anything else is a failure
        return f"{type(error).__name__}: {str(error)[:300]}{_place(error)}"
    finally:
        tracemalloc.stop()
        for name in case.files:
            (folder / name).unlink(missing_ok=True)


def _peak() -> str | None:
    peak = tracemalloc.get_traced_memory()[1]
    return f"{peak:,} bytes of memory" if peak > MOST_MEMORY else None


def _place(error: BaseException) -> str:
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return "" if step is None else f" ({step.tb_frame.f_code.co_filename}:{step.tb_lineno})"


def read_params(path: Path) -> None:
    """Every array in every library; what was read can be written, and read again, to the same bytes."""
    for library in ("numpy", "torch") if "torch" in sys.modules else ("numpy",):
        params = rf.load_params(path, library=library)
        for name in params:
            array = params[name]
            assert tuple(array.shape) == params.shape(name)
            assert str(array.dtype).removeprefix("torch.") == params.dtype(name)
        if library == "numpy":
            _check_round_trip(dict(params), path.parent / "again.safetensors")
            _check_numpy_agrees(params, path)


def _check_round_trip(params: dict[str, Any], path: Path) -> None:
    written = io.BytesIO()
    safetensors_format.write(written, Contents(Outgoing(params)))
    path.write_bytes(written.getvalue())
    again = rf.load_params(path)
    assert set(again) == set(params)
    assert all(again[name].tobytes() == array.tobytes() for name, array in params.items())
    path.unlink()


def _check_numpy_agrees(params: Any, path: Path) -> None:
    if params.source.format != "numpy":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with np.load(path, allow_pickle=False) as found:
                theirs = {name: found[name] for name in params if name in found.files}
        except Exception:  # it is stricter, as with checksums of what is mapped here
            return
    for name, array in params.items():
        if name in theirs and array.dtype == theirs[name].dtype:
            assert np.array_equal(array, theirs[name], equal_nan=array.dtype.kind in "fc")


def read_permutation(path: Path) -> None:
    """A permutation file: rows of permutations, and a spec that is one or none."""
    found = load_permutation(path)
    for array in found.permutation.values():
        assert np.array_equal(np.sort(array, -1), np.broadcast_to(np.arange(array.shape[-1]), array.shape))
    if found.spec_json is not None:
        rf.PermutationSpec.from_json(found.spec_json)


PERMUTATION_ERRORS = (FileFormatError, PermutationError, SpecError)


def read_heads(path: Path) -> None:
    """The configuration beside a model: a number of heads or none, never an error of its own."""
    params = rf.load_params(path / "model.safetensors")
    heads = heads_beside(params, None)
    assert heads is None or (type(heads) is int and heads > 0)
    json.dumps(heads)
