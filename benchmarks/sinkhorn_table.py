"""Table 1 of Peña et al. (CVPR 2023): planted permutations recovered by Sinkhorn and by weight matching.

A network is permuted by a random permutation and found again; the number is the L1 distance between the weights
after re-basin, summed over all parameters, mean and deviation over seeds. Networks map one number to one number; they
are freshly initialised ("random"), or trained on a polynomial of degree one or three ("Pol1", "Pol3")::

    OMP_NUM_THREADS=1 python benchmarks/sinkhorn_table.py --seeds 5
"""

import argparse
import itertools
import json
import time
from typing import Any

import numpy as np
import torch
from common.command import command_line
from networks.training import perceptron
from torch import nn

import rebasin_fast as rf
from rebasin_fast.permutation import random_permutation

INITIALISATIONS = ("random", "Pol1", "Pol3")
DEPTHS = (2, 4, 8)


def initialised(kind: str, depth: int, width: int, seed: int, steps: int) -> dict[str, Any]:
    """Parameters of a fresh network, or of one trained on a random polynomial."""
    torch.manual_seed(seed)
    model = perceptron(1, *[width] * depth, 1)
    if kind != "random":
        coefficients = torch.randn(2 if kind == "Pol1" else 4)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(steps):
            x = torch.rand(64, 1) * 2 - 1
            y = sum(c * x**power for power, c in enumerate(coefficients))
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def distances(
    kind: str, depth: int, options: argparse.Namespace, seed: int
) -> tuple[dict[str, float], float]:
    """L1 distance after each method, and the seconds of Sinkhorn."""
    a = initialised(kind, depth, options.width, seed, options.training_steps)
    spec = rf.specs.mlp([str(2 * layer) for layer in range(depth + 1)])
    planted = random_permutation(spec, spec.sizes(a), np.random.default_rng(seed))
    b = rf.apply_permutation(spec, planted, a)
    started = time.perf_counter()
    sinkhorn = rf.sinkhorn_matching(
        spec,
        None,
        a,
        b,
        rng=seed,
        steps=options.steps,
        stop=lambda event: event.objective < 1e-6,
        patience=None,
    )
    seconds = time.perf_counter() - started
    found = {
        "Sinkhorn": sinkhorn,
        "weight matching": rf.weight_matching(spec, a, b, rng=seed),
        "weight matching, best of 10": rf.weight_matching(spec, a, b, rng=seed, restarts=10),
        "Frank-Wolfe": rf.frank_wolfe_matching(spec, a, b, rng=seed),
    }
    measured = {}
    for name, matching in found.items():
        moved = rf.apply_permutation(spec, matching.permutation, b)
        measured[name] = sum(float((a[key] - moved[key]).abs().sum()) for key in a)
    return measured, seconds


def main() -> None:
    parser = command_line("Planted permutations found again, as in table 1 of the paper.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--width", type=int, default=10, help="of every hidden layer")
    parser.add_argument("--steps", type=int, default=300, help="of Sinkhorn")
    parser.add_argument("--training-steps", type=int, default=500)
    parser.add_argument("--depths", type=int, nargs="+", default=list(DEPTHS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    if not options.json:
        print(
            "| initialisation | hidden layers | method | L1, mean ± deviation | recovered |\n|---|---|---|---|---|"
        )
    for kind, depth in itertools.product(INITIALISATIONS, options.depths):
        runs = [distances(kind, depth, options, seed) for seed in range(options.seeds)]
        for method in runs[0][0]:
            values = np.array([measured[method] for measured, _ in runs])
            rows.append({
                "initialisation": kind, "hidden_layers": depth, "method": method, "mean": float(values.mean()),
                "deviation": float(values.std()), "recovered": int((values == 0.0).sum()), "seeds": len(values),
                "sinkhorn_seconds": float(np.mean([seconds for _, seconds in runs])),
            })  # fmt: skip
            if not options.json:
                found = f"{rows[-1]['recovered']} of {options.seeds}"
                print(
                    f"| {kind} | {depth} | {method} | {values.mean():.2f} ± {values.std():.2f} | {found} |",
                    flush=True,
                )
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
