"""Frank-Wolfe, straight-through and Sinkhorn matching beside their originals: time, memory, what they reach.

::

    REBASIN_FAST_DATA=... OMP_NUM_THREADS=1 python benchmarks/methods_relaxed.py sinkhorn-operator
    REBASIN_FAST_DATA=... OMP_NUM_THREADS=1 python benchmarks/methods_relaxed.py sinkhorn-step
    REBASIN_FAST_DATA=... OMP_NUM_THREADS=1 python benchmarks/methods_relaxed.py straight-through
    REBASIN_FAST_DATA=... OMP_NUM_THREADS=1 python benchmarks/methods_relaxed.py frank-wolfe

The two about Sinkhorn need ``pip install --no-deps sinkhorn-rebasin torchviz graphviz`` for the rival. Every row is a
dictionary; ``rows(name)`` gives those of one question to other programs.
"""

import argparse
import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_methods import Row as CostRow
from networks import mnist, shapes

import rebasin_fast as rf

Row = dict[str, Any]


def seconds(action: Callable[[], Any], repeats: int = 3) -> float:
    """The shortest of a few runs, after one that is not counted."""
    action()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return min(taken)


def sinkhorn_operator(widths: tuple[int, ...] = (512, 2048)) -> Iterator[Row]:
    """The operator alone, forward and backward; the products with the weights are the same in both packages."""
    import torch
    from rebasin.rebasinnet.sinkhorn import Sinkhorn

    from rebasin_fast.matching.sinkhorn_operator import soft_permutations

    torch.set_num_threads(1)
    for width in widths:
        torch.manual_seed(0)
        scores = (torch.eye(width) + 0.1 * torch.randn(width, width)).requires_grad_()
        weights, ones = torch.randn(width, width), torch.ones(width)

        def ours(scores: Any = scores, weights: Any = weights) -> None:
            soft_permutations(scores).backward(weights)

        def theirs(scores: Any = scores, weights: Any = weights, ones: Any = ones) -> None:
            Sinkhorn.apply(-scores, ones, ones, 20, 1.0).backward(weights.clone())

        taken = {"sinkhorn-rebasin 0.0.2": seconds(theirs), "rebasin_fast": seconds(ours)}
        yield {"question": "sinkhorn-operator", "width": width, "seconds": taken, "ratio": _ratio(taken)}


def sinkhorn_step(widths: tuple[int, ...] = (512, 2048)) -> Iterator[Row]:
    """One step, forward and backward, of the L2 loss on an MLP of two hidden layers, beside the PyPI package."""
    import torch
    from rebasin import RebasinNet as RivalNet
    from rebasin.loss import DistL2Loss as RivalL2
    from torch import nn

    from rebasin_fast.compat.sinkhorn_rebasin import DistL2Loss, RebasinNet

    torch.set_num_threads(1)
    for width in widths:
        torch.manual_seed(0)
        ours, theirs = (
            nn.Sequential(
                nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
            )
            for _ in range(2)
        )
        taken: dict[str, float] = {}
        for name, make, distance in (
            ("sinkhorn-rebasin 0.0.2", RivalNet, RivalL2),
            ("rebasin_fast", RebasinNet, DistL2Loss),
        ):
            net, loss = make(ours, input_shape=(1, 784)), distance(theirs)
            net.train()

            def step(net: Any = net, loss: Any = loss) -> None:
                for scores in net.p:
                    scores.grad = None
                loss(net()).backward()

            taken[name] = seconds(step, 3 if width < 1024 else 1)
        yield {"question": "sinkhorn-step", "width": width, "seconds": taken, "ratio": _ratio(taken)}


def straight_through(steps: int = 60, rates: tuple[float, ...] = (0.1, 1.0)) -> Iterator[Row]:
    """The two trained MNIST networks of 3 x 512 units, batches of 500, beside a plain loop."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    a, b = ({k: torch.from_numpy(v) for k, v in mnist.trained_mlp(seed).items()} for seed in (0, 1))
    spec = rf.specs.mlp(mnist.layer_names(4))
    images = mnist.load_images("train")
    inputs, labels = torch.from_numpy(images.inputs), torch.from_numpy(images.labels)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(inputs)))
    batches = [(inputs[rows], labels[rows]) for rows in order.split(500)][:steps]
    layers = [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(512, 10))
    for rate in rates:
        found: list[Any] = []

        def ours(rate: float = rate, found: list[Any] = found) -> None:
            found[:] = [
                rf.straight_through_matching(
                    spec,
                    model,
                    a,
                    b,
                    batches,
                    nn.functional.cross_entropy,
                    learning_rate=rate,
                    evaluate_every=10**9,
                )
            ]

        started = time.perf_counter()
        ours()
        taken = {"rebasin_fast": time.perf_counter() - started}
        few = max(2, steps // 20)
        parts = {}
        for start in ("last", "identity"):
            started = time.perf_counter()
            parts[start] = plain_straight_through(model, a, b, batches[:few], rate, start)
            taken[f"plain, from the {start}"] = (time.perf_counter() - started) * steps / few
        stats = found[0].stats
        matching = stats.product_seconds + stats.assignment_seconds + stats.objective_seconds
        passes = forward_backward_seconds(model, batches[0])
        yield {
            "question": "straight-through",
            "learning_rate": rate,
            "steps": steps,
            "seconds": taken,
            "matching_per_step": matching / steps,
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

    return seconds(passes, 5)


def plain_straight_through(model: Any, a: Any, b: Any, batches: Any, rate: float, start: str) -> float:
    """The published loop in NumPy, torch and SciPy, for an MLP; gives the seconds spent in matching."""
    import torch

    copy = {name: value.clone() for name, value in a.items()}
    speed = {name: torch.zeros_like(value) for name, value in a.items()}
    host_b = {name: value.numpy() for name, value in b.items()}
    widths = [len(a[f"{name}.bias"]) for name in mnist.layer_names(4)[:-1]]
    units = [np.arange(width) for width in widths]
    rng = np.random.default_rng(0)
    spent = 0.0
    for batch in batches:
        started = time.perf_counter()
        begin = units if start == "last" else [np.arange(width) for width in widths]
        units = plain_weight_matching(
            {name: value.numpy() for name, value in copy.items()}, host_b, begin, rng
        )
        spent += time.perf_counter() - started
        moved = {name: torch.from_numpy(value) for name, value in plain_apply(host_b, units).items()}
        middle = {name: ((a[name] + moved[name]) / 2).requires_grad_() for name in a}
        loss = torch.nn.functional.cross_entropy(
            torch.func.functional_call(model, middle, (batch[0],)), batch[1]
        )
        for name, gradient in zip(middle, torch.autograd.grad(loss, list(middle.values())), strict=True):
            speed[name].mul_(0.9).add_(gradient, alpha=0.5)
            copy[name].sub_(speed[name], alpha=rate)
    return spent


def plain_weight_matching(a: Any, b: Any, units: list[Any], rng: np.random.Generator) -> list[Any]:
    """Algorithm 1 for an MLP, as published: every similarity formed anew, every assignment by SciPy."""
    from scipy.optimize import linear_sum_assignment

    names = mnist.layer_names(len(units) + 1)
    units = list(units)
    for _ in range(100):
        progress = False
        for layer in rng.permutation(len(units)):
            before, after = names[layer], names[layer + 1]
            incoming = b[f"{before}.weight"] if layer == 0 else b[f"{before}.weight"][:, units[layer - 1]]
            last = layer + 1 == len(units)
            outgoing = b[f"{after}.weight"] if last else b[f"{after}.weight"][units[layer + 1]]
            table = a[f"{before}.weight"] @ incoming.T + np.outer(a[f"{before}.bias"], b[f"{before}.bias"])
            table += a[f"{after}.weight"].T @ outgoing
            rows, columns = linear_sum_assignment(table, maximize=True)
            gain = table[rows, columns].sum() - table[rows, units[layer]].sum()
            progress = progress or gain > 1e-12
            units[layer] = columns
        if not progress:
            break
    return units


def plain_apply(b: Any, units: list[Any]) -> Any:
    names = mnist.layer_names(len(units) + 1)
    moved = {}
    for layer, name in enumerate(names):
        weight, bias = b[f"{name}.weight"], b[f"{name}.bias"]
        if layer:
            weight = weight[:, units[layer - 1]]
        if layer < len(units):
            weight, bias = weight[units[layer]], bias[units[layer]]
        moved[f"{name}.weight"], moved[f"{name}.bias"] = weight, bias
    return moved


def frank_wolfe(networks: tuple[str, ...] = ("mlp512-trained", "resnet20x4")) -> Iterator[Row]:
    """Time and objective beside weight matching with one and with five starts; gains are from the identity."""
    rng = np.random.default_rng(0)
    for name in networks:
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


def random_pair(hidden: int = 512, steps: int = 8) -> dict[str, Any]:
    """Two random networks of three hidden layers, the torch model, and batches of 500 random samples."""
    import torch
    from torch import nn

    rng = np.random.default_rng(0)
    layers = shapes.mlp(784, hidden, hidden, hidden, 10)
    a, b = ({k: torch.from_numpy(v) for k, v in shapes.random_params(layers, rng).items()} for _ in range(2))
    modules: list[Any] = []
    for before, after in itertools.pairwise((784, hidden, hidden, hidden, 10)):
        modules += [nn.Linear(before, after), nn.ReLU()]
    generator = torch.Generator().manual_seed(0)
    batches = [(torch.randn(500, 784, generator=generator), torch.arange(500) % 10) for _ in range(steps)]
    model = nn.Sequential(*modules[:-1])
    # What torch imports at first use is nobody's cost.
    rf.trace_spec(nn.Linear(2, 2), torch.zeros(1, 2))
    nn.functional.cross_entropy(
        torch.func.functional_call(model, dict(model.named_parameters()), (batches[0][0],)), batches[0][1]
    ).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    return {"a": a, "b": b, "model": model, "batches": batches}


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


def frank_wolfe_cost(made: dict[str, Any]) -> dict[str, float]:
    spec = rf.specs.mlp(mnist.layer_names(4))
    found = rf.frank_wolfe_matching(spec, made["a"], made["b"], starts=["barycentre"])
    return {"objective": found.objective}


def plain_descent(made: dict[str, Any]) -> dict[str, float]:
    a, b = ({name: value.numpy() for name, value in made[side].items()} for side in "ab")
    widths = [np.arange(512) for _ in range(3)]
    units = plain_weight_matching(a, b, widths, np.random.default_rng(0))
    moved = plain_apply(b, units)
    return {"objective": sum(float(np.vdot(a[name], moved[name])) for name in a)}


def sinkhorn_cost(made: dict[str, Any], *, rival: bool) -> dict[str, float]:
    """Eight steps of the L2 loss."""
    import copy

    from rebasin_fast.compat import sinkhorn_rebasin

    distance_of, net_of = sinkhorn_rebasin.DistL2Loss, sinkhorn_rebasin.RebasinNet
    if rival:
        from rebasin import RebasinNet
        from rebasin.loss import DistL2Loss

        distance_of, net_of = DistL2Loss, RebasinNet
    target = copy.deepcopy(made["model"])
    target.load_state_dict(made["b"])
    net, distance = net_of(made["model"], input_shape=(1, 784)), distance_of(target)
    net.train()
    for _ in range(8):
        for scores in net.p:
            scores.grad = None
        distance(net()).backward()
    return {}


MLP = "random MLP 784-3×512-10"
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
    CostRow(
        "sinkhorn-mlp512",
        "Sinkhorn, 8 steps of the L2 loss",
        MLP,
        "sinkhorn-rebasin 0.0.2",
        random_pair,
        partial(sinkhorn_cost, rival=False),
        partial(sinkhorn_cost, rival=True),
    ),
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


def _ratio(taken: dict[str, float]) -> float:
    return max(taken.values()) / taken["rebasin_fast"]


QUESTIONS = {
    "sinkhorn-operator": sinkhorn_operator,
    "sinkhorn-step": sinkhorn_step,
    "straight-through": straight_through,
    "frank-wolfe": frank_wolfe,
}


def rows(name: str) -> Iterator[Row]:
    """The rows of one question, each as soon as it is measured."""
    return QUESTIONS[name]()


def main() -> None:
    parser = argparse.ArgumentParser(description="Relaxed and learnt matching beside their originals.")
    parser.add_argument("question", choices=list(QUESTIONS))
    parser.add_argument("--width", type=int, nargs="+", help="of sinkhorn-step")
    parser.add_argument("--network", nargs="+", help="of frank-wolfe: mlp512-trained, resnet20x4, resnet50")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="rebasin")
    found = rows(options.question)
    if options.width and options.question == "sinkhorn-step":
        found = sinkhorn_step(tuple(options.width))
    if options.network and options.question == "frank-wolfe":
        found = frank_wolfe(tuple(options.network))
    for row in found:
        print(json.dumps(row, indent=1), flush=True)


if __name__ == "__main__":
    main()
