"""Rows of ``bench_methods.py``: activation matching, many models, REPAIR, each beside a plain program of its paper."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import torch
from networks import shapes, training
from scipy.optimize import linear_sum_assignment
from torch import nn

import rebasin_fast as rf
from methods.plain_programs import CostRow as Row
from methods.plain_programs import published_loop


def perceptron(hidden: int, seed: int, layers: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    model = training.perceptron(784, *[hidden] * layers, 10)
    with torch.no_grad():  # variances that neither grow nor vanish from layer to layer
        for linear in model[::2]:
            linear.weight.mul_(6**0.5)
    return model


def numbers(count: int) -> torch.Tensor:
    return torch.randn(count, 784, generator=torch.Generator().manual_seed(0))


# Activation matching: the original keeps every activation, and then calls numpy.corrcoef on both models' at once.


def pair_with_data(hidden: int, samples: int) -> Any:
    models = [perceptron(hidden, seed) for seed in (0, 1)]
    return rf.specs.mlp(["0", "2", "4", "6"]), models, numbers(samples).split(500)


def activation_ours(made: Any) -> dict[str, float]:
    spec, models, batches = made
    return {"objective": rf.activation_matching(spec, *models, batches).objective}


@torch.no_grad()
def activation_original(made: Any) -> dict[str, float]:
    _, models, batches = made
    total = 0.0
    for layer in range(2, 8, 2):
        units = [np.concatenate([model[:layer](x).numpy() for x in batches]) for model in models]
        n = units[0].shape[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            similarity = np.nan_to_num(np.corrcoef(*units, rowvar=False)[:n, n:])
        rows, columns = linear_sum_assignment(similarity, maximize=True)
        total += similarity[rows, columns].sum()
    return {"objective": float(total)}


# MergeMany: the original keeps every aligned model and stacks all others for each mean; its matching is the
# published loop.


def models_of(hidden: int, count: int) -> Any:
    made = [
        shapes.random_params(shapes.mlp(784, hidden, hidden, hidden, 10), np.random.default_rng(s))
        for s in range(count)
    ]
    return rf.specs.for_params(made[0]), made


def many_ours(made: Any, **options: Any) -> dict[str, float]:
    spec, models = made
    many = rf.merge_many(spec, models, threads=1, **options)
    return {"objective": many.objective, "sweeps": float(many.sweeps)}


def many_original(made: Any) -> dict[str, float]:
    spec, models = made
    rng = np.random.default_rng(0)
    aligned = [dict(model) for model in models]
    for sweep in range(1, 101):  # noqa: B007
        fell = False
        for i in rng.permutation(len(models)):
            mean = {n: np.mean([m[n] for j, m in enumerate(aligned) if j != i], axis=0) for n in aligned[i]}
            permutation = published_loop(spec, mean, aligned[i], rng)
            moved = rf.apply_permutation(spec, permutation, aligned[i])
            before, after = (sum(((mean[n] - m[n]) ** 2).sum() for n in m) for m in (aligned[i], moved))
            fell = fell or after < before - 1e-6 * before
            aligned[i] = moved
        if not fell:
            break
    total = {n: sum(m[n].astype(np.float64) for m in aligned) for n in aligned[0]}
    squares = sum((m[n].astype(np.float64) ** 2).sum() for m in aligned for n in m)
    return {
        "objective": float((sum((t**2).sum() for t in total.values()) - squares) / 2),
        "sweeps": float(sweep),
    }


# REPAIR: the original wraps each layer in a module that normalises by BatchNorm, goes over the data once for each end
# and once for the middle, and keeps the wrappers' BatchNorm layers; they are folded here for the comparison.


def line_with_data(hidden: int, samples: int) -> Any:
    a, b = (perceptron(hidden, seed, layers=10) for seed in (0, 1))
    middle = copy.deepcopy(a)
    middle.load_state_dict(rf.interpolate(a.state_dict(), b.state_dict(), 0.5))
    return a, b, middle, numbers(samples).split(500)


def repair_ours(made: Any) -> dict[str, float]:
    a, b, middle, batches = made
    rf.repair(middle, a, b, batches)
    return {"deviation error": deviation_error(made)}


@torch.no_grad()
def repair_original(made: Any) -> dict[str, float]:
    a, b, middle, batches = made
    linear = [i for i, layer in enumerate(middle) if isinstance(layer, nn.Linear)][:-1]
    goals: list[dict[int, nn.BatchNorm1d]] = []
    for model in (a, b, middle):
        norms = {i: nn.BatchNorm1d(model[i].out_features, momentum=None) for i in linear}
        if model is middle:
            for i in linear:
                norms[i].weight.copy_((goals[0][i].running_var.sqrt() + goals[1][i].running_var.sqrt()) / 2)
                norms[i].bias.copy_((goals[0][i].running_mean + goals[1][i].running_mean) / 2)
        for x in batches:
            for i, layer in enumerate(model):
                x = layer(x)
                if i in norms:
                    normed = norms[i](x)
                    x = normed if model is middle else x
        goals.append(norms)
    for i, norm in goals[2].items():
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        middle[i].weight.mul_(scale[:, None])
        middle[i].bias.copy_((middle[i].bias - norm.running_mean) * scale + norm.bias)
    return {"deviation error": deviation_error(made)}


@torch.no_grad()
def deviation_error(made: Any) -> float:
    """The largest error of a deviation, relative to its goal, over all hidden layers and data."""
    a, b, middle, batches = made
    x = torch.cat(batches)
    worst = 0.0
    for layer in range(1, len(middle) - 1, 2):
        dev_a, dev_b, dev = (model[:layer](x).double().std(0) for model in (a, b, middle))
        goal = (dev_a + dev_b) / 2
        worst = max(worst, float(((dev - goal).abs() / goal).max()))
    return worst


ROWS = [
    Row(
        f"activation-mlp{hidden}",
        "activation matching",
        f"MLP 784-3×{hidden}-10, {samples:,} samples",
        "all activations kept, `numpy.corrcoef`, SciPy",
        partial(pair_with_data, hidden, samples),
        activation_ours,
        activation_original,
    )
    for hidden, samples in ((512, 10_000), (2048, 10_000))
] + [
    Row(
        f"many-mlp{hidden}",
        "MergeMany",
        f"5 random MLPs 784-3×{hidden}-10",
        "algorithm 3 with the published loop, NumPy, SciPy",
        partial(models_of, hidden, 5),
        partial(many_ours, start="identity"),
        many_original,
    )
    for hidden in (512,)
] + [
    Row(
        "repair-mlp128",
        "REPAIR",
        "MLP of 10 hidden layers of 128, 5,000 samples",
        "BatchNorm wrappers, folded",
        partial(line_with_data, 128, 5_000),
        repair_ours,
        repair_original,
    )
]  # fmt: skip
