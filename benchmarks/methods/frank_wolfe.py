"""Frank-Wolfe matching beside weight matching: time, memory, what it reaches.

::

    REBASIN_FAST_DATA=... OMP_NUM_THREADS=1 python benchmarks/methods/frank_wolfe.py
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line
from networks import mnist, shapes

import rebasin_fast as rf
from methods.plain_programs import MLP, CostRow, Row, ask, published_loop, random_pair


def frank_wolfe(network: Sequence[str] = ("mlp512-trained", "resnet20x4")) -> Iterator[Row]:
    """Time and objective beside weight matching with one and with five starts; gains are from the identity."""
    rng = np.random.default_rng(0)
    for name in network:
        if name == "mlp512-trained":
            a, b = mnist.trained_mlp(0), mnist.trained_mlp(1)
            spec = rf.specs.mlp(mnist.layer_names(4))
        else:
            layers = shapes.resnet50() if name == "resnet50" else shapes.resnet20(4)
            a, b = shapes.random_params(layers, rng), shapes.random_params(layers, rng)  # type: ignore[assignment]
            spec = rf.specs.for_params(a)
        once = rf.weight_matching(spec, a, b)
        runs: dict[str, Callable[[], Any]] = {
            "weight matching": lambda spec=spec, a=a, b=b: rf.weight_matching(spec, a, b),
            "weight matching, best of 5": lambda spec=spec, a=a, b=b: rf.weight_matching(
                spec, a, b, restarts=5
            ),
            **{
                f"Frank-Wolfe, {start}": lambda spec=spec, a=a, b=b, start=start: rf.frank_wolfe_matching(
                    spec, a, b, starts=[start]
                )
                for start in ("barycentre", "identity")
            },
        }
        taken, gains, flop = {}, {}, {}
        for label, run in runs.items():
            started = time.perf_counter()
            found = run()
            taken[label] = time.perf_counter() - started
            gains[label] = (found.objective - once.first_objective) / (once.objective - once.first_objective)
            flop[label] = found.stats.product_flop
        yield {
            "question": "frank-wolfe",
            "network": name,
            "seconds": taken,
            "gain": gains,
            "product_flop": flop,
        }


def frank_wolfe_cost(made: dict[str, Any]) -> dict[str, float]:
    spec = rf.specs.mlp(mnist.layer_names(4))
    found = rf.frank_wolfe_matching(spec, made["a"], made["b"], starts=["barycentre"])
    return {"objective": found.objective}


def plain_descent(made: dict[str, Any]) -> dict[str, float]:
    a, b = ({name: value.numpy() for name, value in made[side].items()} for side in "ab")
    spec = rf.specs.mlp(mnist.layer_names(4))
    moved = rf.apply_permutation(spec, published_loop(spec, a, b, np.random.default_rng(0)), b)
    return {"objective": sum(float(np.vdot(a[name], moved[name])) for name in a)}


ROWS = [
    CostRow(
        "frank-wolfe-mlp512",
        "Frank-Wolfe, from the barycentre",
        MLP,
        "published weight matching, NumPy, SciPy",
        random_pair,
        frank_wolfe_cost,
        plain_descent,
    ),
]
QUESTIONS = {"frank-wolfe": frank_wolfe}


if __name__ == "__main__":
    parser = command_line(__doc__)
    parser.add_argument("--network", nargs="+", default=["mlp512-trained", "resnet20x4"], help="or resnet50")
    ask(parser, QUESTIONS)
