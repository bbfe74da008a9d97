"""The command line called in this process, and two models as files for it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from click.testing import CliRunner

import rebasin_fast as rf
from rebasin_fast.cli import main

SHAPES = {
    "fc1.weight": (24, 6),
    "fc1.bias": (24,),
    "fc2.weight": (20, 24),
    "fc2.bias": (20,),
    "fc3.weight": (4, 20),
    "fc3.bias": (4,),
}


@dataclass(frozen=True)
class Models:
    """A, and B: a permuted copy of A."""

    a: Path
    b: Path
    params_a: dict[str, np.ndarray]
    params_b: dict[str, np.ndarray]
    spec: rf.PermutationSpec


@dataclass(frozen=True)
class Ran:
    """Exit code and output of a command; click before 8.2 has no ``output`` that holds both streams."""

    exit_code: int
    stdout: str
    stderr: str
    output: str
    exception: BaseException | None


def invoke(args: Sequence[str]) -> Ran:
    """The command line called with ``args``, under every click since 8.1."""
    separate = "mix_stderr" in inspect.signature(CliRunner).parameters
    runner = CliRunner(mix_stderr=False) if separate else CliRunner()
    result = runner.invoke(main, args)
    output = result.stdout + result.stderr if separate else result.output
    return Ran(result.exit_code, result.stdout, result.stderr, output, result.exception)
