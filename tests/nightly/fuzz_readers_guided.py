"""Fuzz the readers of files guided by coverage, with atheris (``pip install atheris``); run by hand, not by pytest.

    cd tests && python -m nightly.fuzz_readers_guided -atheris_runs=100000 -max_len=4096 CORPUS_FOLDER

The first byte of an input chooses the format, the others are the file. Options and folder are those of libFuzzer.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["rebasin_fast.files", "rebasin_fast.specs", "rebasin_fast._untrusted"]
):
    from nightly.readers.case import Case, fault_of, read_params
    from nightly.readers.specs import read_spec
    from rebasin_fast.errors import SpecError

_NAMES = ("a.safetensors", "a.npz", "a.pt", "a.zip", "model.safetensors.index.json", "spec.json")


def main() -> None:
    """Hand inputs to the readers until one has a fault."""
    with tempfile.TemporaryDirectory() as folder:

        def judge(data: bytes) -> None:
            name = _NAMES[data[0] % len(_NAMES)] if data else _NAMES[0]
            case = Case({name: data[1:]}, name, read_params)
            if name == "spec.json":
                case = Case(case.files, name, read_spec, (SpecError,))
            fault = fault_of(case, Path(folder), watched=False)
            if fault is not None:
                raise AssertionError(f"{name}: {fault}")

        atheris.Setup(sys.argv, judge)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
