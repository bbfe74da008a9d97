"""How do time and products of a matching grow with a network's width, and with its depth?

Unrelated random networks, both programs on one BLAS thread; the published loop where its size is not out of reach::

    python benchmarks/scaling.py --seeds 0 1 2

Exponents are fitted to the upper half of the sizes, by least squares of logarithms. What ``results/scaling.json`` holds
already is not measured again; ``--seconds`` stops a call early, to go on with the next, and ``--again`` measures the
native descent anew. Results: ``scaling.{json,md,png}``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.command import command_line, earlier_results, finish
from common.environment import markdown_table
from matching.jobs import sweep_flop
from matching.run import LOOP, NATIVE, draw_order, measure_loop, measure_native, reference_axes, warm_up
from networks import shapes

import rebasin_fast as rf

Record = dict[str, Any]


@dataclass(frozen=True)
class Series:
    """Networks of one kind, by one size; the published loop only up to ``most_for_loop``."""

    name: str
    size: str
    sizes: tuple[int, ...]
    make: Callable[[int], shapes.Shapes]
    most_for_loop: int


SERIES = [
    Series("MLP, 3 hidden layers", "width", (64, 128, 256, 512, 1024, 2048),
           lambda n: shapes.mlp(784, *[n] * 3, 10), 1024),
    Series("ResNet-20", "width", (16, 32, 64, 128, 256), lambda n: shapes.resnet20(width=n), 128),
    Series("MLP of width 256", "depth", (2, 4, 8, 16, 32, 64), lambda n: shapes.mlp(784, *[256] * n, 10), 64),
    Series("ResNet of width 32", "depth", (8, 14, 20, 32, 56, 110),
           lambda n: shapes.resnet20(width=32, blocks=(n - 2) // 6), 110),
]  # fmt: skip


def main() -> None:
    from threadpoolctl import threadpool_limits

    options = parse_options()
    records = earlier(options)
    warm_up()
    deadline = time.monotonic() + options.seconds
    with threadpool_limits(limits=1, user_api="blas"):
        for series, size, program, seed in wanted(options.seeds):
            key = {"series": series.name, "size": size, "program": program, "seed": seed}
            if any(key.items() <= record.items() for record in records):
                continue
            if time.monotonic() > deadline:
                print(f"stopped before {key}; run again", file=sys.stderr)
                break
            records.append(key | measure(series.make(size), program, seed))
    finish("scaling", {"records": records}, table(records), options.results)
    draw(records, options.results / "scaling.png")


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results", "--seconds")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure the native descent anew")
    return parser.parse_args()


def earlier(options: argparse.Namespace) -> list[Record]:
    records: list[Record] = earlier_results("scaling", options.results).get("records", [])
    return [record for record in records if record["program"] == LOOP or not options.again]


def wanted(seeds: list[int]) -> list[tuple[Series, int, str, int]]:
    """Everything to measure: seed by seed, the native descent before the loop, small before large."""
    return [
        (series, size, program, seed)
        for seed in seeds
        for program in (NATIVE, LOOP)
        for series in SERIES
        for size in series.sizes
        if program == NATIVE or size <= series.most_for_loop
    ]


def measure(network: shapes.Shapes, program: str, seed: int) -> Record:
    rng = np.random.default_rng(seed)
    a, b = shapes.random_params(network, rng), shapes.random_params(network, rng)
    spec = rf.specs.for_params(a)
    axes = reference_axes(spec, a)
    sweep = sweep_flop(axes, a)
    if program == NATIVE:
        found = measure_native(lambda **more: rf.weight_matching(spec, a, b, **more), time.process_time)
        flop = found["stats"]["product_flop"]
    else:
        found = measure_loop(axes, a, b, draw_order(spec, seed, 100), time.process_time)
        flop = sweep * found["sweeps"]
    rise = found["objective"] - found["first_objective"]
    return {
        "seconds": found["seconds"],
        "flop": flop,
        "sweep_flop": sweep,
        "rise": rise,
        "sweeps": found["sweeps"],
        "memory_bytes": found["memory_bytes"],
        "stats": found["stats"],
    }


Points = list[tuple[int, float]]


def points(records: list[Record], series: Series, program: str, field: str) -> Points:
    """The median over the seeds, by size."""
    found = []
    for size in series.sizes:
        key = {"series": series.name, "size": size, "program": program}
        values = [record[field] for record in records if key.items() <= record.items()]
        if values:
            found.append((size, statistics.median(values)))
    return found


def exponent(found: Points) -> str:
    """The slope of the upper half of the points (at least three) on logarithmic axes."""
    upper = found[-max(3, (len(found) + 1) // 2) :]
    if len(upper) < 3:
        return "–"
    sizes, values = np.log(np.array(upper, dtype=np.float64)).T
    return f"{np.polyfit(sizes, values, 1)[0]:.2f}"


def table(records: list[Record]) -> str:
    header = [
        "network",
        "by",
        "program",
        "seconds at each size",
        "exponent of time",
        "of products",
        "products in sweeps",
    ]
    rows = []
    for series in SERIES:
        for program in (NATIVE, LOOP):
            seconds = points(records, series, program, "seconds")
            flop = points(records, series, program, "flop")
            sweep = points(records, series, program, "sweep_flop")
            rises, loops = (dict(points(records, series, each, "rise")) for each in (program, LOOP))
            rows.append([
                series.name,
                series.size,
                program,
                ", ".join(f"{size}: {value:.2g}" for size, value in seconds),
                exponent(seconds),
                exponent(flop),
                ", ".join(f"{done / one:.1f}" for (_, done), (_, one) in zip(flop, sweep, strict=True)),
                ", ".join(f"{rises[size] / loops[size]:.3f}" for size in loops if size in rises),
            ])  # fmt: skip
    return markdown_table(header, rows)


def draw(records: list[Record], path: Path) -> None:
    """Time against size on logarithmic axes, one picture a series."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(SERIES), figsize=(3.4 * len(SERIES), 3.6), layout="constrained")
    for axis, series in zip(axes, SERIES, strict=True):
        for program, colour in ((LOOP, "tab:orange"), (NATIVE, "tab:blue")):
            found = points(records, series, program, "seconds")
            if found:
                label = f"{program}, exponent {exponent(found)}"
                axis.loglog(*zip(*found, strict=True), marker="o", markersize=4, color=colour, label=label)
        axis.set_title(f"{series.name}, by {series.size}", fontsize=10)
        axis.set_xticks(series.sizes, [str(size) for size in series.sizes], fontsize=8)
        axis.minorticks_off()
        axis.set_xlabel(series.size)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    axes[0].set_ylabel("processor seconds")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
