"""An exception of a callback ends every long call at once, and is the exception that its caller gets."""

import inspect

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from rebasin_fast import analysis
from rebasin_fast.continual import RebasinLearner
from rebasin_fast.evaluation import Evaluator


def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 8), torch.nn.ReLU(),
        torch.nn.Linear(8, 3),
    )  # fmt: skip


MODELS = [network(seed).eval() for seed in range(3)]
PARAMS = [model.state_dict() for model in MODELS]
SPEC = rf.trace_spec(MODELS[0], torch.zeros(2, 4))
torch.manual_seed(3)
INPUTS = [torch.randn(20, 4) for _ in range(6)]
BATCHES = [(inputs, torch.randint(0, 3, (20,))) for inputs in INPUTS]
cross_entropy = torch.nn.functional.cross_entropy
EVALUATE = Evaluator(network(4), BATCHES[:1])

CALLS = {
    "weight_matching": lambda **k: rf.weight_matching(SPEC, *PARAMS[:2], **k),
    "weight_matching, runs on threads": lambda **k: rf.weight_matching(
        SPEC, *PARAMS[:2], restarts=4, threads=2, **k
    ),
    "activation_matching": lambda **k: rf.activation_matching(SPEC, *MODELS[:2], INPUTS, **k),
    "frank_wolfe_matching": lambda **k: rf.frank_wolfe_matching(SPEC, *PARAMS[:2], **k),
    "activation_matching, over all groups": lambda **k: rf.activation_matching(
        SPEC, *MODELS[:2], INPUTS, symmetries="all", **k
    ),
    "merge": lambda **k: rf.merge(MODELS[:2], spec=SPEC, batches=BATCHES, **k),
    "merge_many": lambda **k: rf.merge_many(SPEC, PARAMS, **k),
    "straight_through_matching": lambda **k: rf.straight_through_matching(
        SPEC, MODELS[0], *PARAMS[:2], BATCHES, cross_entropy, **k
    ),
    "sinkhorn_matching": lambda **k: rf.sinkhorn_matching(SPEC, MODELS[0], *PARAMS[:2], steps=6, **k),
    "sinkhorn_matching, on data": lambda **k: rf.sinkhorn_matching(
        SPEC, MODELS[0], *PARAMS[:2], BATCHES, cross_entropy, **k
    ),
    "loss_curve": lambda **k: rf.loss_curve(EVALUATE, *PARAMS[:2], ts=5, **k),
    "repair": lambda **k: rf.repair(network(5), *MODELS[:2], INPUTS, **k),
    "connect": lambda **k: analysis.connect(MODELS[0], *PARAMS[:2], BATCHES, steps=6, **k),
    "loss_plane": lambda **k: analysis.loss_plane(EVALUATE, *PARAMS, points=3, **k),
    "loss_simplex": lambda **k: analysis.loss_simplex(EVALUATE, PARAMS, **k),
    "mutual_barriers": lambda **k: analysis.mutual_barriers(EVALUATE, PARAMS, ts=3, **k),
    "singular_alignment": lambda **k: analysis.singular_alignment(SPEC, *PARAMS[:2], **k),
    "input_alignment": lambda **k: analysis.input_alignment(MODELS[0], PARAMS[0], INPUTS, **k),
    "taylor_barrier": lambda **k: analysis.taylor_barrier(
        MODELS[0], *PARAMS[:2], BATCHES, cross_entropy, **k
    ),
    "RebasinLearner.learn": lambda **k: RebasinLearner(network(6)).learn(BATCHES, cross_entropy, **k),
}


class StopError(Exception):
    """Of a callback."""


class StopAtOnce(BaseException):
    """Such as KeyboardInterrupt, which is no Exception."""


def unchanged(tensors):
    return [{name: value.clone() for name, value in each.items()} for each in tensors]


@pytest.mark.parametrize("kind", [StopError, StopAtOnce])
@pytest.mark.parametrize("name", CALLS)
def test_an_exception_of_progress_ends_the_call(name, kind):
    events, raised, before = [], kind("enough"), unchanged(PARAMS)

    def progress(*event):
        events.append(event)
        if len(events) == 2:
            raise raised

    with pytest.raises(kind) as found:
        CALLS[name](progress=progress)
    assert found.value is raised
    assert len(events) == 2
    assert all(
        torch.equal(one[key], other[key]) for one, other in zip(before, PARAMS, strict=True) for key in one
    )


def test_every_function_that_tells_progress_is_tried():
    public = {name: getattr(rf, name) for name in rf.__all__} | {
        name: getattr(analysis, name) for name in analysis.__all__
    }
    telling = {
        name
        for name, value in public.items()
        if inspect.isfunction(value) and "progress" in inspect.signature(value).parameters
    }
    assert telling <= {name.partition(",")[0] for name in CALLS}


def test_an_exception_of_a_measurement_ends_the_curve():
    raised, seen = StopError("no data"), []

    def evaluate(params):
        seen.append(params)
        if len(seen) == 2:
            raise raised
        return 0.0

    with pytest.raises(StopError) as found:
        rf.loss_curve(evaluate, {"w": np.zeros(2)}, {"w": np.ones(2)}, ts=5)
    assert found.value is raised
    assert len(seen) == 2
