"""Two Stable Diffusion 1.5 U-Nets, from disk to disk: how long does it take, and how much memory?

The U-Net (860 M parameters) is traced on the meta device, where its weights take no memory; the same architecture, a
fifth as wide, is traced and verified. Then float16 files of 1.7 GB each are written to a folder of yours and matched
by the command line: random weights, their permuted copy with noise, and other random weights::

    python benchmarks/stable_diffusion.py FOLDER
    python benchmarks/stable_diffusion.py FOLDER --pairs related --options "--max-iter 1"

By hand, with ``unet`` below as the factory of the model:

    cd benchmarks && rebasin-fast spec --trace stable_diffusion:unet -o unet.json
    rebasin-fast match a.safetensors b.safetensors --spec unet.json -o aligned.safetensors
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.command import command_line, finish
from common.environment import markdown_table
from common.process_memory import run_measured
from networks.shapes import noisy

import rebasin_fast as rf
from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast.permutation import permuted_params, random_permutation

PAIRS = {"related": "b", "unrelated": "c"}


@dataclass(frozen=True)
class Traced:
    """The spec of the U-Net, and what it took; memory is the whole process's, PyTorch included."""

    parameters: int
    permutations: int
    log10_symmetries: float
    trace_seconds: float
    memory_before: int
    memory_after: int
    verify_seconds: float


@dataclass(frozen=True)
class Matched:
    """One pair of files, matched once."""

    pair: str
    seconds: float
    private_bytes: int
    sweeps: int
    converged: bool
    distance_before: float
    distance_after: float
    stats: dict[str, Any]
    units: int
    units_recovered: int | None


def unet() -> tuple[Any, Any]:
    """Stable Diffusion's U-Net without weights, and inputs for it."""
    import torch

    from helpers.models.diffusion import unet

    with torch.device("meta"):
        return unet()


def main() -> None:
    options = parse_options()
    options.folder.mkdir(parents=True, exist_ok=True)
    model, inputs = unet()
    traced = trace(model, inputs, options.folder / "spec.json")
    print(traced, file=sys.stderr, flush=True)
    write_files(model, options)
    rows = []
    for pair in options.pairs:
        rows.append(match(pair, options))
        print(rows[-1], file=sys.stderr, flush=True)
    results = {"traced": asdict(traced), "rows": [asdict(row) for row in rows]}
    finish("stable_diffusion", results, f"{summary(traced)}\n\n{table(rows)}", options.results)


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results")
    parser.add_argument("folder", type=Path, help="where the files go, and stay")
    parser.add_argument("--pairs", nargs="*", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--noise", type=float, default=0.5, help="standard deviations on the permuted copy")
    parser.add_argument("--options", default="", help="further options of rebasin-fast match, in one text")
    return parser.parse_args()


def trace(model: Any, inputs: Any, path: Path) -> Traced:
    """Trace the U-Net, write its spec, and verify that of the narrow copy."""
    from helpers.models.diffusion import NARROW_UNET
    from helpers.models.diffusion import unet as build

    memory, started = most_memory(), time.perf_counter()
    spec = rf.trace_spec(model, inputs, verify=False)
    seconds, memory_after = time.perf_counter() - started, most_memory()
    path.write_text(spec.to_json(), encoding="utf-8")
    narrow, narrow_inputs = build(NARROW_UNET, 8)
    narrow_spec = rf.trace_spec(narrow, narrow_inputs, verify=False)
    started = time.perf_counter()
    narrow_spec.verify(narrow, narrow_inputs)
    return Traced(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        permutations=len(spec.permutations),
        log10_symmetries=spec.log10_symmetries(model.state_dict()),
        trace_seconds=seconds,
        memory_before=memory,
        memory_after=memory_after,
        verify_seconds=time.perf_counter() - started,
    )


def most_memory() -> int:
    """The most resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def write_files(model: Any, options: argparse.Namespace) -> None:
    """Write a, its permuted noisy copy b, unrelated c, and the permutation of b; files that are there stay."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    described = {name: np.broadcast_to(np.float16(0), shape) for name, shape in shapes.items()}
    files = {part: options.folder / f"{part}.safetensors" for part in ("a", "b", "c", "truth")}
    for seed, part in enumerate("ac"):
        if not files[part].exists():
            random = DerivedParams(described, lambda name, seed=seed: random_array(name, shapes[name], seed))
            rf.save_params(files[part], random)
    if not files["b"].exists() or not files["truth"].exists():
        params = rf.load_params(files["a"])
        spec = read_spec(options.folder)
        planted = random_permutation(spec, spec.sizes(params), np.random.default_rng(1))
        moved = permuted_params(spec, planted, params)
        copy = DerivedParams(params, lambda name: noisy_array(name, moved[name], options.noise))
        rf.save_params(files["b"], copy, overwrite=True)
        rf.save_params(files["truth"], planted, overwrite=True)


def read_spec(folder: Path) -> rf.PermutationSpec:
    return rf.PermutationSpec.from_json((folder / "spec.json").read_text(encoding="utf-8"))


def random_array(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Weights scaled by their inputs, biases near 0, norms near 1."""
    values = np.random.default_rng([seed, *name.encode()]).standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
        values /= np.sqrt(np.prod(shape[1:], dtype=np.float32))
    else:
        values = values * np.float32(0.05) + np.float32("norm" in name and name.endswith("weight"))
    return values.astype(np.float16)


def noisy_array(name: str, array: np.ndarray, deviations: float) -> np.ndarray:
    rng = np.random.default_rng([2, *name.encode()])
    return noisy({name: array.astype(np.float32)}, deviations, rng)[name].astype(np.float16)


def match(pair: str, options: argparse.Namespace) -> Matched:
    """Run the command line; of a permuted copy, compare what it found with what was planted."""
    folder, other = options.folder, PAIRS[pair]
    found = folder / f"found-{other}.safetensors"
    program = [sys.executable, "-m", "rebasin_fast.cli", "match"]
    files = [str(folder / "a.safetensors"), str(folder / f"{other}.safetensors")]
    outputs = ["-o", str(folder / f"aligned-{other}.safetensors"), "--save-permutation", str(found)]
    command = [*program, *files, *outputs, "--spec", str(folder / "spec.json"), "--force", "--json"]
    usage = run_measured([*command, *shlex.split(options.options)])
    result = json.loads(usage.output)
    recovered = None
    if pair == "related":
        recovered = count_recovered(folder, rf.load_params(found))
    return Matched(
        pair=pair,
        seconds=usage.seconds,
        private_bytes=usage.private_bytes,
        sweeps=result["sweeps"],
        converged=result["converged"],
        distance_before=result["distance_before"],
        distance_after=result["distance_after"],
        stats=result["stats"],
        units=sum(index.size for index in rf.load_params(found).values()),
        units_recovered=recovered,
    )


def count_recovered(folder: Path, found: Any) -> int:
    """Units that stand where they were before they were permuted."""
    spec = read_spec(folder)
    planted = dict(rf.load_params(folder / "truth.safetensors"))
    both = rf.compose_permutations(planted, dict(found), spec)
    return sum(int((index == np.arange(index.shape[-1])).sum()) for index in both.values())


def summary(traced: Traced) -> str:
    grown = (traced.memory_after - traced.memory_before) / 1e6
    return (
        f"Traced on the meta device: {traced.parameters / 1e6:,.0f} M parameters, {traced.permutations} "
        f"permutations, 10^{traced.log10_symmetries:,.0f} symmetries, in {traced.trace_seconds:.1f} s; the process's "
        f"memory grew by {grown:,.0f} MB. A copy a fifth as wide verified in {traced.verify_seconds:.1f} s."
    )


def table(rows: list[Matched]) -> str:
    header = ["pair", "time (s)", "private memory", "sweeps", "TFLOP of products", "products (s)",
              "assignments (s)", "distance before", "after", "units recovered"]  # fmt: skip
    return markdown_table(header, [row_cells(row) for row in rows])


def row_cells(row: Matched) -> list[str]:
    return [
        row.pair,
        f"{row.seconds:.0f}",
        f"{row.private_bytes / 1e9:.2f} GB",
        str(row.sweeps) + ("" if row.converged else ", not converged"),
        f"{row.stats['product_flop'] / 1e12:.1f}",
        f"{row.stats['product_seconds']:.0f}",
        f"{row.stats['assignment_seconds']:.0f}",
        f"{row.distance_before:.5g}",
        f"{row.distance_after:.5g}",
        "" if row.units_recovered is None else f"{row.units_recovered} of {row.units}",
    ]


if __name__ == "__main__":
    main()
