"""What the benchmarks of learnt and relaxed methods share: published loops as plain programs, networks, a clock."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from networks import mnist, shapes

import rebasin_fast as rf

Row = dict[str, Any]
MLP = "random MLP 784-3×512-10"


def seconds(action: Callable[[], Any], repeats: int = 3) -> float:
    """Processor seconds of the shortest of a few runs, after one that is not counted."""
    action()
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        taken.append(time.process_time() - started)
    return min(taken)


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
