"""The loop of a fuzzer: options, failures with their seeds on standard error, one line of JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable

import rebasin_fast as rf

Fault = Callable[[int, int, argparse.Namespace], str | None]


def fuzz(
    description: str, unit: str, fault: Fault, *, count: int, most_failures: int = 20, **numbers: int
) -> int:
    """Call ``fault(seed, k, options)`` for every k; return 1 if there was any fault, otherwise 0.

    ``numbers`` are further options with their defaults.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in {unit: count, "seed": 0, "most_failures": most_failures, **numbers}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    options = parser.parse_args()
    start = time.perf_counter()
    failures = 0
    for k in range(getattr(options, unit)):
        found = fault(options.seed, k, options)
        if found is not None:
            failures += 1
            print((options.seed, k), found, file=sys.stderr, flush=True)
            if failures >= options.most_failures:
                break
    record = {
        **vars(options),
        unit: k + 1,
        "failures": failures,
        "seconds": round(time.perf_counter() - start, 1),
        "rebasin_fast": rf.__version__,
        "machine": platform.machine(),
    }
    print(json.dumps(record))
    return 1 if failures else 0
