"""Straight-through matching beside the published loop: time, memory, the loss reached.

::

    REBASIN_FAST_DATA=... OMP_NUM_THREADS=1 python benchmarks/methods/straight_through.py
"""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line
from common.timing import medians
from networks import mnist

import rebasin_fast as rf
from methods.plain_programs import MLP, CostRow, Row, ask, published_loop, random_pair


def straight_through(steps: int = 60, rates: Sequence[float] = (0.1, 1.0)) -> Iterator[Row]:
    """The two trained MNIST networks of 3 x 512 units, batches of 500, beside a plain loop."""
    import torch
    from networks import training
    from torch import nn

    torch.set_num_threads(1)
    a, b = ({k: torch.from_numpy(v) for k, v in mnist.trained_mlp(seed).items()} for seed in (0, 1))
    spec = rf.specs.mlp(mnist.layer_names(4))
    images = mnist.load_images("train")
    inputs, labels = torch.from_numpy(images.inputs), torch.from_numpy(images.labels)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(inputs)))
    batches = [(inputs[rows], labels[rows]) for rows in order.split(500)][:steps]
    model = training.perceptron(784, 512, 512, 512, 10)
    for rate in rates:
        found: list[Any] = []

        def ours(rate: float = rate, found: list[Any] = found) -> None:
            options = {"learning_rate": rate, "evaluate_every": 10**9}
            loss = nn.functional.cross_entropy
            found[:] = [rf.straight_through_matching(spec, model, a, b, batches, loss, **options)]

        started, begun = time.process_time(), time.perf_counter()
        ours()
        taken = {"rebasin_fast": time.process_time() - started}
        elapsed = time.perf_counter() - begun
        few = max(2, steps // 20)
        parts = {}
        for start in ("last", "identity"):
            started = time.process_time()
            parts[start] = plain_straight_through(model, a, b, batches[:few], rate, start)
            taken[f"plain, from the {start}"] = (time.process_time() - started) * steps / few
        stats = found[0].stats
        matching = stats.product_seconds + stats.assignment_seconds + stats.objective_seconds
        passes = forward_backward_seconds(model, batches[0])
        yield {
            "question": "straight-through",
            "learning_rate": rate,
            "steps": steps,
            "seconds": taken,
            # Stages are known in wall time, which other programs stretch: their share of the processor time.
            "matching_per_step": matching / elapsed * taken["rebasin_fast"] / steps,
            "forward_backward_per_step": passes,
            "plain_matching_per_step": {start: part / few for start, part in parts.items()},
            "midpoint_loss": {"start": found[0].first_loss, "best": found[0].loss},
        }


def forward_backward_seconds(model: Any, batch: Any) -> float:
    """Of one pass of the network itself."""
    import torch

    def passes() -> None:
        loss = torch.nn.functional.cross_entropy(model(batch[0]), batch[1])
        torch.autograd.grad(loss, list(model.parameters()))

    return medians({"passes": passes}, 5)["passes"]


def plain_straight_through(model: Any, a: Any, b: Any, batches: Any, rate: float, start: str) -> float:
    """The published loop in NumPy, torch and SciPy, for an MLP; gives the seconds spent in matching."""
    import torch

    copy = {name: value.clone() for name, value in a.items()}
    speed = {name: torch.zeros_like(value) for name, value in a.items()}
    host_b = {name: value.numpy() for name, value in b.items()}
    spec = rf.specs.mlp(mnist.layer_names(4))
    permutation = None
    rng = np.random.default_rng(0)
    spent = 0.0
    for batch in batches:
        started = time.process_time()
        current = {name: value.numpy() for name, value in copy.items()}
        permutation = published_loop(spec, current, host_b, rng, permutation if start == "last" else None)
        spent += time.process_time() - started
        moved = {
            name: torch.from_numpy(value)
            for name, value in rf.apply_permutation(spec, permutation, host_b).items()
        }
        middle = {name: ((a[name] + moved[name]) / 2).requires_grad_() for name in a}
        loss = torch.nn.functional.cross_entropy(
            torch.func.functional_call(model, middle, (batch[0],)), batch[1]
        )
        for name, gradient in zip(middle, torch.autograd.grad(loss, list(middle.values())), strict=True):
            speed[name].mul_(0.9).add_(gradient, alpha=0.5)
            copy[name].sub_(speed[name], alpha=rate)
    return spent


def straight_through_cost(made: dict[str, Any]) -> dict[str, float]:
    from torch import nn

    spec = rf.specs.mlp(mnist.layer_names(4))
    rf.straight_through_matching(
        spec, made["model"], made["a"], made["b"], made["batches"], nn.functional.cross_entropy
    )
    return {}


def straight_through_original(made: dict[str, Any]) -> dict[str, float]:
    plain_straight_through(made["model"], made["a"], made["b"], made["batches"], 0.1, "last")
    return {}


ROWS = [
    CostRow(
        "straight-through-mlp512",
        "straight-through, 8 steps of 500 samples",
        MLP,
        "published loop, NumPy, torch, SciPy, from the last permutation",
        random_pair,
        straight_through_cost,
        straight_through_original,
    ),
]
QUESTIONS = {"straight-through": straight_through}


if __name__ == "__main__":
    parser = command_line(__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 1.0])
    ask(parser, QUESTIONS)
