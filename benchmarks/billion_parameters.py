"""How long does `rebasin-fast match` take on 10⁹ float16 parameters, and how much private memory does it hold?

Two files of 2 GB a network are written to a folder of yours, a random network and its permuted copy with noise, and
matched from disk to disk by the command line::

    python benchmarks/billion_parameters.py FOLDER --networks mlp wide-resnet --options "--threads 1" --delete

The least that had to be done are the products of one sweep, all similarities once; they and the products that were
done (`product_flop` of the matching) are timed at the speed of one large float32 product in this process, just before
and just after, in processor time, so that other programs beside this one do not count. Rows of earlier calls stay.
"""

import argparse
import json
import math
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.command import command_line, earlier_results, finish
from common.environment import markdown_table
from common.process_memory import run_measured
from networks import shapes

import rebasin_fast as rf
from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast.permutation import permuted_params

RESULT = "billion_parameters"
NETWORKS: dict[str, Callable[[], shapes.Shapes]] = {
    "mlp": lambda: shapes.mlp(784, *[8192] * 16, 10),
    "wide-resnet": lambda: shapes.resnet18(width=608),
    "wide-resnet50": lambda: shapes.resnet50(width=416),
    "mlp-small": lambda: shapes.mlp(784, *[8192] * 3, 10),
}


@dataclass(frozen=True)
class Row:
    """One network, matched once."""

    network: str
    parameters: int
    permutations: int
    largest_permutation: int
    seconds: float
    processor_seconds: float
    private_bytes: int
    sweeps: int
    sweep_flop: float
    product_flop: float
    flop_per_second: float
    units: int
    units_recovered: int
    command_options: str
    stats: dict[str, Any]


def main() -> None:
    options = parse_options()
    for network in options.networks:
        files = write_pair(network, options)
        row = match(network, files, options)
        print(row, file=sys.stderr, flush=True)
        rows = [
            each
            for each in earlier_results(RESULT, options.results).get("rows", [])
            if each["network"] != network
        ]
        rows.append(asdict(row))
        finish(RESULT, {"rows": rows}, table(rows), options.results)
        if options.delete:
            for path in options.folder.glob(f"{network}-*.safetensors"):
                path.unlink()


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results")
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--delete", action="store_true", help="delete the files of a network after its row")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["mlp", "wide-resnet"])
    parser.add_argument("--noise", type=float, default=0.5, help="standard deviations on the permuted copy")
    parser.add_argument("--options", default="", help="further options of rebasin-fast match, in one text")
    return parser.parse_args()


def write_pair(network: str, options: argparse.Namespace) -> tuple[Path, Path, Path]:
    """Write A, its permuted noisy copy B, and the permutation that was planted; what is there already stays."""
    options.folder.mkdir(parents=True, exist_ok=True)
    a, b, truth = (options.folder / f"{network}-{part}.safetensors" for part in ("a", "b", "truth"))
    if a.exists() and b.exists() and truth.exists():
        return a, b, truth
    sizes = NETWORKS[network]()
    rf.save_params(
        a, DerivedParams(_described(sizes), lambda name: _random(name, sizes[name])), overwrite=True
    )
    params = rf.load_params(a)
    spec = rf.specs.for_params(params)
    rng = np.random.default_rng(1)
    planted = {name: rng.permutation(size) for name, size in spec.sizes(params).items()}
    moved = permuted_params(spec, planted, params)
    rf.save_params(
        b, DerivedParams(params, lambda name: _noisy(name, moved[name], options.noise)), overwrite=True
    )
    rf.save_params(truth, rf.invert_permutation(planted), overwrite=True)
    return a, b, truth


def _described(sizes: shapes.Shapes) -> shapes.Arrays:
    return {
        name: np.broadcast_to(np.int64(0) if name.endswith("num_batches_tracked") else np.float16(0), shape)
        for name, shape in sizes.items()
    }


def _random(name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = shapes.random_params({name: shape}, np.random.default_rng(_seed(name)))[name]
    return array.astype(np.float16) if array.dtype == np.float32 else array


def _noisy(name: str, array: np.ndarray, deviations: float) -> np.ndarray:
    rng = np.random.default_rng(_seed(name) + 1)
    return shapes.noisy({name: array.astype(np.float32)}, deviations, rng)[name].astype(array.dtype)


def _seed(name: str) -> int:
    return int.from_bytes(name.encode()[-7:], "little")


def match(network: str, files: tuple[Path, Path, Path], options: argparse.Namespace) -> Row:
    """Run the command line, and compare what it found with what was planted."""
    a, b, truth = files
    output, found = a.with_name(f"{network}-aligned.safetensors"), a.with_name(f"{network}-found.safetensors")
    program = [sys.executable, "-m", "rebasin_fast.cli"]
    paths = ["match", str(a), str(b), "-o", str(output), "--save-permutation", str(found)]
    speed_before = flop_per_second()
    usage = run_measured([*program, *paths, "--force", "--json", *shlex.split(options.options)])
    result = json.loads(usage.output)
    planted, recovered = rf.load_params(truth), rf.load_params(found)
    return Row(
        network=network,
        parameters=rf.load_params(a).parameter_count,
        permutations=len(planted),
        largest_permutation=max(index.size for index in planted.values()),
        seconds=usage.seconds,
        processor_seconds=usage.processor_seconds,
        private_bytes=usage.private_bytes,
        sweeps=result["sweeps"],
        sweep_flop=sweep_flop(NETWORKS[network]()),
        product_flop=float(result["stats"]["product_flop"]),
        flop_per_second=(speed_before + flop_per_second()) / 2,
        units=sum(index.size for index in planted.values()),
        units_recovered=sum(int((recovered[name] == index).sum()) for name, index in planted.items()),
        command_options=options.options,
        stats=result["stats"],
    )


def sweep_flop(sizes: shapes.Shapes) -> float:
    """The products of all similarities once."""
    described = _described(sizes)
    spec = rf.specs.for_params(described)
    units = spec.sizes(described)
    return sum(
        2.0 * units[entry] * math.prod(sizes[name])
        for name, axes in spec.axes_to_perm.items()
        for entry in axes
        if isinstance(entry, str)
    )


def flop_per_second(n: int = 3072) -> float:
    """The speed of a float32 product of this process, by its processor time, the best of three."""
    matrix = np.ones((n, n), dtype=np.float32)
    seconds = []
    for _ in range(3):
        started = time.process_time()
        matrix @ matrix
        seconds.append(time.process_time() - started)
    return 2 * n**3 / min(seconds)


def table(rows: list[dict[str, Any]]) -> str:
    header = ["network", "parameters", "permutations, largest", "time (s)", "processor (s)", "private memory",
              "TFLOP, of one sweep", "TFLOP, done", "its time (s)", "processor / one sweep", "processor / done",
              "units recovered"]  # fmt: skip
    return markdown_table(header, [row_cells(row) for row in rows])


def row_cells(row: dict[str, Any]) -> list[str]:
    processor = row["processor_seconds"]
    sweep, done = (row[name] / row["flop_per_second"] for name in ("sweep_flop", "product_flop"))
    return [
        row["network"],
        f"{row['parameters'] / 1e6:,.0f} M",
        f"{row['permutations']}, {row['largest_permutation']}",
        f"{row['seconds']:.0f}",
        f"{processor:.0f}",
        f"{row['private_bytes'] / 1e9:.2f} GB",
        f"{row['sweep_flop'] / 1e12:.1f}",
        f"{row['product_flop'] / 1e12:.1f}",
        f"{done:.0f}",
        f"{processor / sweep:.2f}",
        f"{processor / done:.2f}",
        f"{row['units_recovered']} of {row['units']}",
    ]


if __name__ == "__main__":
    main()
