"""Which permutations do known architectures have? Trace every model of the tests' list, and verify each spec.

    python benchmarks/trace_models.py                          # all, 300 s each; goes on where it stopped
    python benchmarks/trace_models.py --only resnet --again    # those with "resnet" in their names, once more

A model with a narrow copy (see ``tests/helpers/models/registry.py``) is traced on the meta device, where its weights
take no memory, and the copy is verified in its place.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from common.command import command_line, earlier_results
from common.environment import RESULTS, environment_line, markdown_table, write_results

import rebasin_fast as rf

LISTS = ("helpers.models.vision", "helpers.models.language", "helpers.models.diffusion")
NAME = "trace_models"

Result = TypeVar("Result")


class OutOfTimeError(Exception):
    """A model took longer than its limit."""


def main() -> None:
    options = _options()
    rows = earlier_results(NAME, options.output).get("models", {})
    for model in _models():
        done = model.name in rows and not options.again
        if done or not any(part in model.name for part in options.only):
            continue
        row = measured(model, options.limit)
        rows[model.name] = row
        _write(options.output, rows)
        print(
            f"{model.name}: {row['seconds']:.1f} s, {row['permutations']} permutations, {row['outcome']}",
            flush=True,
        )
        gc.collect()


def measured(model: Any, limit: float) -> dict[str, Any]:
    """One row: what was found in ``model``, how long it took, whether the formula and the function agree."""
    row: dict[str, Any] = {"seconds": 0.0, "permutations": None, "outcome": "out of time"}
    try:
        with _within(limit):
            network, inputs = _built(model)
            spec, row["seconds"] = _timed(lambda: rf.trace_spec(network, inputs, verify=False))
            row |= described(spec, network, model.expected)
            row["outcome"] = "verified on a narrow copy" if model.narrow else "verified"
            _verify(model, spec, network, inputs)
    except OutOfTimeError:
        row["outcome"] = f"out of time ({limit:g} s)"
    except rf.SpecError as error:
        row["outcome"] = f"failed: {error}"
    return row


def described(spec: Any, network: Any, expected: Any) -> dict[str, Any]:
    """What the table says of a spec."""
    from helpers.models.found import difference, found_in

    params = network.state_dict()
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "permutations": len(spec.permutations),
        "log10_symmetries": spec.log10_symmetries(params),
        "difference": difference(expected, found_in(spec, network)),
        "frozen": frozen(spec),
    }


def frozen(spec: Any) -> dict[str, int]:
    """How many axes each reason leaves in place."""
    return dict(Counter(short(entry.operation) for entry in spec.frozen).most_common())


def short(operation: str) -> str:
    """``conv2d`` for ``aten.conv2d.default``; words stay as they are."""
    name, comma, rest = operation.partition(",")
    return name.removeprefix("aten.").partition(".")[0] + comma + rest


def _built(model: Any) -> tuple[Any, Any]:
    if model.narrow is None or not model.weightless:
        return model.build()
    try:
        with torch.device("meta"):
            return model.build()
    except NotImplementedError:  # it reads numbers while it is built
        return model.build()


def _verify(model: Any, spec: Any, network: Any, inputs: Any) -> None:
    if model.narrow is None:
        spec.verify(network, inputs)
    else:
        copy, copy_inputs = model.narrow.build()
        rf.trace_spec(copy, copy_inputs, verify=True)


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _models() -> list[Any]:
    """All lists whose packages are installed."""
    found = []
    for name in LISTS:
        try:
            found += importlib.import_module(name).MODELS
        except ModuleNotFoundError as error:
            warnings.warn(f"{name} is left out: {error}", stacklevel=2)
    return found


def _write(folder: Path, rows: dict[str, Any]) -> None:
    rows = dict(sorted(rows.items()))
    table = markdown_table(
        [
            "model",
            "parameters",
            "permutations",
            "log10 symmetries",
            "in place",
            "trace, s",
            "outcome",
        ],
        [[name, *_cells(row)] for name, row in rows.items()],
    )
    write_results(NAME, {"models": rows}, f"{environment_line()}\n\n{table}", folder)


def _cells(row: dict[str, Any]) -> list[str]:
    if row["permutations"] is None:
        return ["", "", "", "", f"{row['seconds']:.1f}", row["outcome"]]
    reasons = ", ".join(f"{times} by {reason}" for reason, times in row["frozen"].items())
    outcome = row["outcome"] + (f"; {row['difference']}" if row["difference"] else "")
    return [
        f"{row['parameters']:,}",
        str(row["permutations"]),
        f"{row['log10_symmetries']:,.1f}",
        reasons,
        f"{row['seconds']:.1f}",
        outcome,
    ]


def _options() -> argparse.Namespace:
    parser = command_line(__doc__)
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="PART", help="models with PART in their names"
    )
    parser.add_argument("--again", action="store_true", help="also those that an earlier run has measured")
    parser.add_argument("--limit", type=float, default=300.0, metavar="SECONDS", help="time for each model")
    parser.add_argument(
        "--output", type=Path, default=RESULTS, metavar="FOLDER", help="where results are kept"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
