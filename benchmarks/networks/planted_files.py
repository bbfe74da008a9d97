"""Files of random float16 weights and of their permuted copies, one array in memory at a time, and their matching."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from common.process_memory import run_measured

import rebasin_fast as rf
from networks import shapes
from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast.permutation import permuted_params, random_permutation


def described(sizes: Mapping[str, tuple[int, ...]]) -> shapes.Arrays:
    """Arrays of these shapes that take no memory; float16, counters int64."""
    return {
        name: np.broadcast_to(np.int64(0) if name.endswith("num_batches_tracked") else np.float16(0), shape)
        for name, shape in sizes.items()
    }


def write_random(path: Path, sizes: Mapping[str, tuple[int, ...]], seed: int = 0) -> None:
    """Write random weights; a file that is there stays."""

    def drawn(name: str) -> Any:
        rng = np.random.default_rng([seed, *name.encode()])
        array = shapes.random_params({name: sizes[name]}, rng)[name]
        return array.astype(np.float16) if array.dtype == np.float32 else array

    if not path.exists():
        rf.save_params(path, DerivedParams(described(sizes), drawn))


def write_planted(a: Path, b: Path, planted: Path, spec: rf.PermutationSpec, noise: float) -> None:
    """Write a permuted copy of A with noise of so many deviations, and the permutation; both files there stay."""
    if b.exists() and planted.exists():
        return
    params = rf.load_params(a)
    permutation = random_permutation(spec, spec.sizes(params), np.random.default_rng(1))
    moved = permuted_params(spec, permutation, params)

    def noisy(name: str) -> Any:
        rng = np.random.default_rng([2, *name.encode()])
        array = moved[name]
        return shapes.noisy({name: array.astype(np.float32)}, noise, rng)[name].astype(array.dtype)

    rf.save_params(b, DerivedParams(params, noisy), overwrite=True)
    rf.save_params(planted, permutation, overwrite=True)


def match_files(a: Path, b: Path, *options: str) -> tuple[dict[str, Any], Any]:
    """Match two files by the command line; return its measurements and the permutation of B."""
    aligned, found = (b.with_name(f"{b.stem}-{end}.safetensors") for end in ("aligned", "found"))
    outputs = ["-o", str(aligned), "--save-permutation", str(found), "--force", "--json"]
    program = [sys.executable, "-m", "rebasin_fast.cli", "match", str(a), str(b)]
    usage = run_measured([*program, *outputs, *options])
    result = json.loads(usage.output)
    measured = {
        key: result[key] for key in ("sweeps", "converged", "distance_before", "distance_after", "stats")
    }
    measured |= {
        "seconds": usage.seconds,
        "processor_seconds": usage.processor_seconds,
        "private_bytes": usage.private_bytes,
    }
    return measured, rf.load_params(found)


def units_recovered(spec: rf.PermutationSpec, planted: Path, found: Any) -> tuple[int, int]:
    """Return how many units stand where they were before they were permuted, and how many there are."""
    both = rf.compose_permutations(dict(rf.load_params(planted)), dict(found), spec)
    right = sum(int((index == np.arange(index.shape[-1])).sum()) for index in both.values())
    return right, sum(index.size for index in both.values())
