"""Every kind of state file of the package: one written, and the work that goes on from it, with its numbers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

import rebasin_fast as rf
from helpers.matchings import THREE_LAYERS, StoppedError, stop_after, three_layers
from helpers.networks import KNOWN
from rebasin_fast import analysis
from rebasin_fast.continual import Episode, RebasinLearner
from rebasin_fast.evaluation.result import Result


def plain(value):
    """Arrays, mappings and results as lists and numbers, to be compared by ==; NaN by its text."""
    if isinstance(value, Result):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(value[name]) for name in sorted(value)}
    if isinstance(value, torch.Tensor | np.ndarray):
        return [str(value.dtype).removeprefix("torch."), repr(value.tolist())]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return repr(value)


def weight_matching(path):
    known = KNOWN["mlp"]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    rf.weight_matching(spec, a, b, checkpoint=path)

    def go_on():
        found = rf.weight_matching(spec, a, b, checkpoint=path)
        return plain([found.permutation, found.objective, found.converged])

    return go_on


def merge_many(path):
    models = [three_layers(seed) for seed in range(4)]
    with contextlib.suppress(StoppedError):
        rf.merge_many(THREE_LAYERS, models, checkpoint=path, progress=stop_after(5))

    def go_on():
        found = rf.merge_many(THREE_LAYERS, models, checkpoint=path)
        return plain([found.permutations, found.history, found.converged, found.merged])

    return go_on


def merge(path):
    def run(progress=None):
        pair = [_network(1), _network(2)]
        found = rf.merge(pair, model=_network(0), batches=_batches(), checkpoint=path, progress=progress)
        return plain([[dataclasses.asdict(row) for row in found.table], found.params])

    def stop(done, _):
        if done == 5:
            raise StoppedError

    with contextlib.suppress(StoppedError):
        run(stop)
    return run


def many_matching(path):
    models = [three_layers(seed) for seed in range(3)]
    rf.merge_many(THREE_LAYERS, models).save(path, overwrite=True)

    def go_on():
        found = rf.ManyMatching.load(path, models)
        return plain([found.permutations, found.history, found.objective, found.report, found.merged])

    return go_on


def _network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


def _batches(seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(3, 8, 4, generator=generator)
    return [(x, (x[:, 0] > 0).long()) for x in inputs]


def straight_through(path):
    a, b = (_network(seed).state_dict() for seed in (0, 1))
    spec = rf.specs.mlp(["0", "2"])

    def run(epochs):
        found = rf.straight_through_matching(
            spec, _network(0), a, b, _batches(), nn.functional.cross_entropy, checkpoint=path, epochs=epochs,
            schedule=lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [4]), evaluate_every=2,
        )  # fmt: skip
        return plain([found.permutation, found.losses, found.evaluations, found.history, found.loss])

    run(1)
    return lambda: run(2)


def connect(path):
    a, b = (_network(seed).state_dict() for seed in (0, 1))

    def run(epochs):
        found = analysis.connect(
            _network(0), a, b, _batches(), nn.functional.cross_entropy, checkpoint=path, epochs=epochs,
            optimizer=torch.optim.AdamW,
        )  # fmt: skip
        return plain([found.points, found.losses])

    run(1)
    return lambda: run(2)


def learner(path):
    def fresh():
        return RebasinLearner(
            _network(0), rf.specs.mlp(["0", "2"]), loss=nn.functional.cross_entropy, penalty="fisher"
        )

    first = fresh()
    first.learn(_batches(0))
    first.save(path)

    def go_on():
        again = fresh()
        again.restore(path)
        return plain([again.learn(_batches(1)), again.params(), again.episodes])

    return go_on


_ONES, _LINE = np.ones(3), np.array([0.0, 0.5, 1.0])
_LAYERS = {"a": np.array([2.0, 1.0]), "b": np.array([3.0])}
_POINT = {"w": np.arange(4.0).reshape(2, 2), "n": np.array([3])}
_POINT_A = {"fc1.weight": np.eye(3, dtype=np.float32), "fc2.weight": np.eye(3, dtype=np.float32)}
_POINT_SPEC = rf.specs.mlp(["fc1", "fc2"], bias=False)
RESULTS = [
    rf.LossCurve(_LINE, {"loss": _ONES, "accuracy": _ONES / 2}),
    analysis.ModeCurve("bezier", [_POINT, _POINT, _POINT], _ONES),
    rf.merge([_POINT_A, _POINT_A], spec=_POINT_SPEC),
    analysis.LossPlane(_LINE, _LINE[:2], {"loss": np.ones((2, 3))}, np.eye(3)[:, :2]),
    analysis.LossSimplex(np.eye(3), {"loss": _ONES}),
    analysis.MutualBarriers(["a", "b", "c"], _LINE, {"loss": np.ones((3, 3))}),
    analysis.DistanceReduction(["a", "b"], _ONES[:2], _ONES[:2], 1.5, 1.25),
    analysis.Agreement({"P": _ONES[:2]}, _ONES[:2], {"P": 0.5}, {"P": 2}),
    analysis.TaylorBarrier(0.5, 2, *[_ONES[:2]] * 3, np.full(2, np.nan), _LINE, _ONES),
    analysis.InputAlignment(["a", "b"], *[_LAYERS] * 3, np.array([3, 3]), np.array([2, 2])),
    analysis.SingularAlignment(
        ["a", "b"],
        _ONES[:2],
        0.5,
        np.array([1, 1]),
        np.array([1, 1]),
        0.25,
        *[_LAYERS] * 3,
        {"a": np.ones(4), "b": np.ones(2)},
    ),
    Episode(1, _ONES, _ONES, 1.0, 2.0, 3.0, {"P": np.array([1, 0, 2])}, {"P": 0.5}, 0.1, 1.0, 0.05),
]


def _of_result(result):
    def make(path):
        result.save(path, overwrite=True)
        return lambda: plain(type(result).load(path))

    return make


RUNS = {
    make.__name__: make
    for make in (weight_matching, merge_many, merge, many_matching, straight_through, connect, learner)
}
CASES = {**RUNS, **{type(result).__name__: _of_result(result) for result in RESULTS}}
