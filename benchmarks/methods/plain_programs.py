"""Shared by the methods: rows of the table of costs, the published loop as a plain program, a pair of networks."""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from networks import shapes
from scipy.optimize import linear_sum_assignment

import rebasin_fast as rf

Row = dict[str, Any]
Permutation = dict[str, Any]
MLP = "random MLP 784-3×512-10"


@dataclass(frozen=True)
class CostRow:
    """One method on one network.

    ``make()`` prepares the input of both programs; ``ours`` and ``original`` take it and return figures for the
    table (an objective, a number of steps).
    """

    name: str
    method: str
    network: str
    original_name: str
    make: Callable[[], Any]
    ours: Callable[[Any], dict[str, float]]
    original: Callable[[Any], dict[str, float]]


def ask(parser: argparse.ArgumentParser, questions: dict[str, Callable[..., Iterator[Row]]]) -> None:
    """Print the rows of the question on the command line, the other options being its arguments."""
    first = next(iter(questions))
    parser.add_argument("question", nargs="?", choices=list(questions), default=first)
    options = vars(parser.parse_args())
    for row in questions[options.pop("question")](**options):
        print(json.dumps(row, indent=1), flush=True)


def published_loop(
    spec: rf.PermutationSpec, a: Any, b: Any, rng: np.random.Generator, init: Permutation | None = None
) -> Permutation:
    """Algorithm 1 as published, for layers without nested entries: similarities formed anew, SciPy's assignments."""
    permutation = {p: np.arange(n) for p, n in spec.sizes(a).items()} if init is None else dict(init)
    names = list(permutation)
    for _ in range(100):
        progress = False
        for p in rng.permutation(names):
            n = len(permutation[p])
            similarity = np.zeros((n, n), np.float32)
            for name, axis in spec.perm_to_axes[p]:
                moved = b[name]
                for other, q in enumerate(spec.axes_to_perm[name]):
                    if other != axis and q is not None:
                        moved = np.take(moved, permutation[q], axis=other)
                x, y = (np.moveaxis(array, axis, 0).reshape(n, -1) for array in (a[name], moved))
                similarity += x @ y.T
            _, columns = linear_sum_assignment(similarity, maximize=True)
            old, new = (similarity[np.arange(n), c].sum(dtype=np.float64) for c in (permutation[p], columns))
            progress = progress or new > old + 1e-6 * abs(old)
            permutation[p] = columns
        if not progress:
            break
    return permutation


def random_pair(hidden: int = 512, steps: int = 8) -> dict[str, Any]:
    """Two random networks of three hidden layers, the torch model, and batches of 500 random samples."""
    import torch
    from networks import training
    from torch import nn

    rng = np.random.default_rng(0)
    layers = shapes.mlp(784, hidden, hidden, hidden, 10)
    a, b = ({k: torch.from_numpy(v) for k, v in shapes.random_params(layers, rng).items()} for _ in range(2))
    generator = torch.Generator().manual_seed(0)
    batches = [(torch.randn(500, 784, generator=generator), torch.arange(500) % 10) for _ in range(steps)]
    model = training.perceptron(784, hidden, hidden, hidden, 10)
    # What torch imports at first use is nobody's cost.
    rf.trace_spec(nn.Linear(2, 2), torch.zeros(1, 2))
    nn.functional.cross_entropy(
        torch.func.functional_call(model, dict(model.named_parameters()), (batches[0][0],)), batches[0][1]
    ).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    return {"a": a, "b": b, "model": model, "batches": batches}
