"""How long does `rebasin-fast match` take on 10⁹ float16 parameters, and how much private memory does it hold?

Two files of 2 GB a network are written to a folder of yours, a random network and its permuted copy with noise, and
matched from disk to disk by the command line::

    python benchmarks/billion_parameters.py FOLDER --networks mlp wide-resnet --options "--threads 1" --delete

The least that had to be done are the products of one sweep, all similarities once; they and the products that were
done (`product_flop` of the matching) are timed at the speed of one large float32 product in this process, just before
and just after, in processor time, so that other programs beside this one do not count. Rows of earlier calls stay.
"""

import argparse
import math
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common.command import command_line, earlier_results, finish
from common.environment import markdown_table
from networks import shapes
from networks.planted_files import described, match_files, units_recovered, write_planted, write_random

import rebasin_fast as rf

RESULT = "billion_parameters"
NETWORKS: dict[str, Callable[[], shapes.Shapes]] = {
    "mlp": lambda: shapes.mlp(784, *[8192] * 16, 10),
    "wide-resnet": lambda: shapes.resnet18(width=608),
    "wide-resnet50": lambda: shapes.resnet50(width=416),
    "mlp-small": lambda: shapes.mlp(784, *[8192] * 3, 10),
}


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--delete", action="store_true", help="delete the files of a network after its row")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["mlp", "wide-resnet"])
    parser.add_argument("--noise", type=float, default=0.5, help="standard deviations on the permuted copy")
    parser.add_argument("--options", default="", help="further options of rebasin-fast match, in one text")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for network in options.networks:
        row = measure(network, options)
        print(row, file=sys.stderr, flush=True)
        earlier = earlier_results(RESULT, options.results).get("rows", [])
        rows = [*(each for each in earlier if each["network"] != network), row]
        finish(RESULT, {"rows": rows}, table(rows), options.results)
        if options.delete:
            for path in options.folder.glob(f"{network}-*.safetensors"):
                path.unlink()


def measure(network: str, options: argparse.Namespace) -> dict[str, Any]:
    """Write the files that are not there yet, match them, and count the units recovered."""
    a, b, planted = (options.folder / f"{network}-{part}.safetensors" for part in ("a", "b", "planted"))
    sizes = NETWORKS[network]()
    write_random(a, sizes)
    params = rf.load_params(a)
    spec = rf.specs.for_params(params)
    write_planted(a, b, planted, spec, options.noise)
    speed_before = flop_per_second()
    measured, found = match_files(a, b, *shlex.split(options.options))
    units = spec.sizes(params)
    return {
        "network": network,
        "parameters": params.parameter_count,
        "permutations": len(units),
        "largest_permutation": max(units.values()),
        **measured,
        "sweep_flop": sweep_flop(sizes),
        "product_flop": float(measured["stats"]["product_flop"]),
        "flop_per_second": (speed_before + flop_per_second()) / 2,
        "recovered": units_recovered(spec, planted, found),
        "command_options": options.options,
    }


def sweep_flop(sizes: shapes.Shapes) -> float:
    """The products of all similarities once."""
    spec = rf.specs.for_params(described(sizes))
    units = spec.sizes(described(sizes))
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
        f"{row['recovered'][0]} of {row['recovered'][1]}",
    ]


if __name__ == "__main__":
    main()
