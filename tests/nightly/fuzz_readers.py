"""Fuzz the readers of files with files of strangers; run by hand or nightly, not by pytest.

    cd tests && python -m nightly.fuzz_readers --count 20000 --seed 7
    cd tests && python -m nightly.fuzz_readers --kind pickles --seconds 600
    cd tests && python -m nightly.fuzz_readers --kind pickles --case "7 1234"

Each kind of `nightly.readers` in turn: changed bytes, archives that lie, assembled pickles, JSON of wrong kinds, specs,
and HDF5 where h5py is installed. The reader may give its own error, or arrays that can be written and read again;
anything else is a failure: another exception, more memory than 48 MiB, more than 60 seconds, a message without end.
Failures go to standard error with the seed that ``--case`` takes. Prints one line of JSON for each kind; exits with 1
if there was any failure.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import rebasin_fast as rf

from .readers.case import fault_of
from .readers.kinds import KINDS, case_of

_MOST_SECONDS = 60
_WATCHED = (
    5  # every fifth case with its memory, which takes most of the time; the address space limits the others
)
_ADDRESS_SPACE = 8 << 30  # the libraries of torch reserve much of it


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {_MOST_SECONDS} s")


def judged(kind: str, seed: str, folder: Path, *, watched: bool = True) -> str | None:
    """The fault of one case, or None."""
    signal.alarm(_MOST_SECONDS)
    try:
        return fault_of(case_of(kind, seed), folder, watched=watched)
    except TimeoutError as error:
        return str(error)
    finally:
        signal.alarm(0)


def run(kind: str, options: argparse.Namespace, folder: Path) -> int:
    """The number of failures of one kind, with its line of JSON."""
    start, done, failures = time.perf_counter(), 0, 0
    while done < options.count and failures < options.most_failures:
        if options.seconds and time.perf_counter() - start > options.seconds:
            break
        seed = f"{options.seed} {done}"
        found = judged(kind, seed, folder, watched=done % _WATCHED == 0)
        done += 1
        if found is not None:
            failures += 1
            print(f"--kind {kind} --case {seed!r}: {found}", file=sys.stderr, flush=True)
    record = {"kind": kind, "cases": done, "seed": options.seed, "failures": failures}
    record |= {"seconds": round(time.perf_counter() - start, 1), "rebasin_fast": rf.__version__}
    print(json.dumps(record), flush=True)
    return failures


def main() -> int:
    """Run the kinds that the options name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=sorted(KINDS), action="append", help="default: all of them")
    parser.add_argument("--count", type=int, default=10_000, help="cases of each kind")
    parser.add_argument("--seconds", type=float, default=0, help="most seconds of each kind; 0: no limit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", help="one case again, by the seed of its failure")
    parser.add_argument("--keep", type=Path, help="with --case: a folder for its files")
    parser.add_argument("--most-failures", type=int, default=20)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _too_long)
    warnings.simplefilter("ignore")
    kinds = options.kind or list(KINDS)
    if options.case is not None:
        if options.keep is not None:
            for name, content in case_of(kinds[0], options.case).files.items():
                (options.keep / name).write_bytes(content)
        with tempfile.TemporaryDirectory() as folder:
            found = judged(kinds[0], options.case, Path(folder))
        print(found or "no fault")
        return found is not None
    with tempfile.TemporaryDirectory() as folder:
        return 1 if sum(run(kind, options, Path(folder)) for kind in kinds) else 0


if __name__ == "__main__":
    sys.exit(main())
