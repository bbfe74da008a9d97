"""Table 1 of the Sinkhorn re-basin paper (Peña et al., CVPR 2023): planted permutations recovered.

A network is permuted by a random permutation and matched again; the number is the L1 distance between the weights after
re-basin, summed over all parameters, mean and deviation over seeds. Perceptrons with tanh and 2, 4 and 8 hidden layers
of ten units are freshly initialised ("random"), or fitted to a polynomial of degree one or three ("Pol1", "Pol3")::

    python benchmarks/papers/sinkhorn_table1.py

The picture shows the permutation matrices of one network, as the paper's. 1 minute on one core.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import polynomials

import rebasin_fast as rf
from rebasin_fast._drawing import INK
from rebasin_fast.permutation import random_permutation

KINDS = ("random", "Pol1", "Pol3")
DEPTHS = (2, 4, 8)
SINKHORN, LOOP = "Sinkhorn, C_L2", "weight matching, published loop"
PUBLISHED = {
    ("random", depth): {SINKHORN: "0.00", LOOP: matched}
    for depth, matched in zip(DEPTHS, ("6.05", "4.12", "0.50"), strict=True)
}
HARD = 0.01  # of the first objective: the soft permutations are nearly hard by then
LOOP_SEEDS = {"random": 50, "Pol1": 10, "Pol3": 10}  # of the methods that take milliseconds
EQUAL, WRONG, MISSED = "#0072B2", "#D55E00", "#E69F00"

Params = dict[str, Any]


def methods(options: argparse.Namespace) -> dict[str, Callable[[Any, Params, Params, int], rf.Matching]]:
    """Name -> spec, A, B and seed to a matching."""

    def sinkhorn(spec: Any, a: Params, b: Params, seed: int) -> rf.Matching:
        first: list[float] = []

        def hardened(event: rf.Progress) -> bool:
            first.append(event.objective)
            return event.objective < HARD * first[0]

        return rf.sinkhorn_matching(
            spec, None, a, b, rng=seed, steps=options.steps, evaluate_every=1, stop=hardened
        )

    return {
        SINKHORN: sinkhorn,
        LOOP: lambda spec, a, b, seed: rf.weight_matching(spec, a, b, rng=seed, visiting="random"),
        "weight matching": lambda spec, a, b, seed: rf.weight_matching(spec, a, b, rng=seed),
        "Frank-Wolfe": lambda spec, a, b, seed: rf.frank_wolfe_matching(spec, a, b, rng=seed),
    }


@cache
def planted(kind: str, layers: int, seed: int) -> tuple[Any, Params, Params, dict[str, Any]]:
    """Spec, network, the network permuted, and the permutation that undoes it."""
    a = polynomials.fitted(kind, layers, seed)
    spec = rf.specs.mlp([str(2 * layer) for layer in range(layers + 1)])
    order = random_permutation(spec, spec.sizes(a), np.random.default_rng(seed))
    return spec, a, rf.apply_permutation(spec, order, a), rf.invert_permutation(order)


def distance(a: Params, b: Params) -> float:
    return float(sum((a[name] - b[name]).abs().sum() for name in a))


def measure(kind: str, layers: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a method."""
    rows = []
    before = [distance(*planted(kind, layers, seed)[1:3]) for seed in range(options.seeds)]
    rows.append(row(kind, layers, "naive", before, 0.0))
    for name, match in methods(options).items():
        found, seconds = [], 0.0
        for seed in range(options.seeds if name == SINKHORN else options.loop_seeds[kind]):
            spec, a, b, _ = planted(kind, layers, seed)
            started = time.perf_counter()
            matching = match(spec, a, b, seed)
            seconds += time.perf_counter() - started
            found.append(distance(a, rf.apply_permutation(spec, matching.permutation, b)))
        rows.append(row(kind, layers, name, found, seconds / len(found)))
    return rows


def row(kind: str, layers: int, name: str, found: list[float], seconds: float) -> dict[str, Any]:
    """Mean and deviation of the distances."""
    values = np.array(found)
    return {
        "initialisation": kind, "hidden_layers": layers, "method": name, "mean": float(values.mean()),
        "deviation": float(values.std()), "recovered": int((values == 0).sum()), "seeds": len(values),
        "seconds": seconds,
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            one["initialisation"],
            str(one["hidden_layers"]),
            one["method"],
            PUBLISHED.get((one["initialisation"], one["hidden_layers"]), {}).get(one["method"], ""),
            f"{one['mean']:.2f} ± {one['deviation']:.2f}",
            f"{one['recovered']} of {one['seeds']}",
            f"{one['seconds']:.3f}",
        ]
        for one in rows
    ]
    header = ["networks", "hidden layers", "method", "L1, published", "L1, ours", "recovered", "matching (s)"]
    return markdown_table(header, cells)


def draw(path: Path, options: argparse.Namespace) -> None:
    """The permutation matrices of two hidden layers, true and found, of the first network that the loop misses."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    search = methods(options)
    for seed in range(options.loop_seeds["random"]):
        spec, a, b, truth = planted("random", 2, seed)
        missed = search[LOOP](spec, a, b, seed).permutation
        if any((missed[name] != truth[name]).any() for name in truth):
            break
    found = {"planted": truth, LOOP: missed, SINKHORN: search[SINKHORN](spec, a, b, seed).permutation}
    figure = Figure(figsize=(8.4, 5.6), layout="constrained", facecolor="white")
    axes = figure.subplots(2, 3)
    for column, (title, permutation) in enumerate(found.items()):
        for place, (name, index) in enumerate(permutation.items()):
            size, ax = len(index), axes[place, column]
            picture = np.zeros((size, size), dtype=int)
            wrong = index != truth[name]
            picture[np.flatnonzero(wrong), truth[name][wrong]] = 3
            picture[np.arange(size), index] = np.where(wrong, 2, 1)
            first = "#222222" if title == "planted" else EQUAL
            ax.imshow(picture, cmap=ListedColormap(["white", first, WRONG, MISSED]), vmin=0, vmax=3)
            ax.set_xticks(np.arange(size + 1) - 0.5, [])
            ax.set_yticks(np.arange(size + 1) - 0.5, [])
            ax.grid(color="#DDDDDD", linewidth=0.6)
            ax.tick_params(length=0)
            equal = f", {size - int(wrong.sum())} of {size} equal" if title != "planted" else ""
            ax.set_title(f"{title}\nlayer {place + 1}{equal}", fontsize=10, color=INK)
    figure.suptitle("Blue: as planted; red: another unit; orange: the unit missed", fontsize=11, color=INK)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--seeds", type=int, default=3, help="of Sinkhorn")
    parser.add_argument("--steps", type=int, default=300, help="of Sinkhorn")
    parser.add_argument("--quick", action="store_true", help="one seed of Sinkhorn, five of the rest")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.loop_seeds = LOOP_SEEDS
    if options.quick:
        options.seeds, options.loop_seeds = 1, dict.fromkeys(KINDS, 3)
    rows = []
    for kind, layers in itertools.product(KINDS, DEPTHS[:2] if options.quick else DEPTHS):
        rows += measure(kind, layers, options)
        print(f"{kind}, {layers} hidden layers", file=sys.stderr, flush=True)
    note = (
        "Perceptrons 1-10-…-10-1 with tanh, data and noise as in the published program; fitted with Adam. The "
        "published loop takes a fresh random order every sweep and starts at the identity; its mean is that of a few "
        "networks that it misses and of many that it recovers. Empty: cells of the paper that are not quoted here."
    )
    options.results.mkdir(parents=True, exist_ok=True)
    draw(options.results / "sinkhorn_table1.png", options)
    title = "### Planted permutations recovered: table 1 of Peña et al., CVPR 2023"
    finish("sinkhorn_table1", {"rows": rows}, f"{title}\n\n{table(rows)}\n\n{note}", options.results)


if __name__ == "__main__":
    main()
