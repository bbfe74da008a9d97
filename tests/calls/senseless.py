"""Every public function with one argument wrong at a time, and the judgement of its answer."""

import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import rebasin_fast as rf
from rebasin_fast.files import load_permutation, save_permutation
from rebasin_fast.permutation import load_transform, save_transform

NONSENSE: dict[str, Any] = {
    "None": None, "text": "abc", "empty text": "", "bytes": b"x", "NUL": "\0", "long text": "x" * 300,
    "True": True, "-1": -1, "0": 0, "1.5": 1.5, "nan": math.nan, "inf": math.inf, "10**30": 10**30, "complex": 2j,
    "list": [], "list of numbers": [1, 2], "list of text": ["a", 3], "dict": {}, "dict of numbers": {"a": 1},
    "integer keys": {1: np.ones(2)}, "object": object(), "class": int, "function": len, "array": np.ones((2, 3, 4)),
    "array of text": np.array(["a", "b"]), "array of objects": np.array([{}, None]), "empty array": np.zeros((0, 3)),
    "array of nan": np.full((3, 3), np.nan),
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A public function with arguments that are right."""

    function: Callable[..., Any]
    arguments: Callable[[], dict[str, Any]]

    @property
    def name(self) -> str:
        return self.function.__qualname__


# Other words by which messages may name an argument.
ALSO = {
    "spec": ("PermutationSpec",), "params_a": ("parameters of A",), "params_b": ("parameters of B",),
    "params": ("the parameters",), "cost": ("matrix",), "init": ("permutation",),
    "models": ("model 0", "model 1"), "inputs": ("input",), "example_inputs": ("input",),
}  # fmt: skip

RNG = np.random.default_rng(0)
SPEC = rf.specs.mlp(["fc1", "fc2"])
SHAPES = {"fc1.weight": (4, 3), "fc1.bias": (4,), "fc2.weight": (2, 4), "fc2.bias": (2,)}
A, B = ({n: RNG.standard_normal(s).astype(np.float32) for n, s in SHAPES.items()} for _ in "ab")
P = {"P0": np.array([1, 0, 3, 2])}
COST = RNG.random((4, 4))


def model():
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential()
    net.add_module("fc1", nn.Linear(3, 4))
    net.add_module("relu", nn.ReLU())
    net.add_module("fc2", nn.Linear(4, 2))
    return net


def batches():
    import torch

    return [(torch.randn(5, 3), torch.randint(0, 2, (5,)))]


def inputs():
    import torch

    return [torch.randn(5, 3)]


def loss(outputs, targets):
    import torch

    return torch.nn.functional.cross_entropy(outputs, targets)


def models(*names):
    return {name: model() for name in names}


PAIR = {"params_a": dict(A), "params_b": dict(B)}
TRAINED = {"epochs": 1, "learning_rate": 0.1, "patience": None, "evaluate_every": 1, "rng": 0}
CURVE = rf.LossCurve(np.array([0, 0.5, 1]), {"loss": np.ones(3)})


def file_name():
    return os.path.join(tempfile.mkdtemp(), "x.npz")


# linear_sum_assignment answers as SciPy's does, word for word: tests/assignment/test_scipy_contract.py.
CALLS = [
    Call(rf.solve_assignment, lambda: {"cost": COST, "maximize": False, "cost_limit": 0.5, "partial": False}),
    Call(rf.solve_assignment, lambda: {"cost": COST, "warm_start": None, "threads": 1}),
    Call(
        rf.k_best_assignments, lambda: {"cost": COST, "k": 2, "maximize": False, "threads": 1, "within": None}
    ),
    Call(rf.bottleneck_assignment, lambda: {"cost": COST, "maximize": False, "threads": 1}),
    Call(
        rf.weight_matching,
        lambda: {"spec": SPEC, **PAIR, "rng": 0, "max_iter": 5, "restarts": 1, "threads": 1},
    ),
    Call(rf.weight_matching, lambda: {"spec": SPEC, **PAIR, "init": P, "order": None, "memory_limit": None}),
    Call(
        rf.weight_matching,
        lambda: {"spec": SPEC, **PAIR, "visiting": "auto", "effort": "low", "strict": True},
    ),
    Call(rf.apply_permutation, lambda: {"spec": SPEC, "permutation": P, "params": dict(A)}),
    Call(rf.invert_permutation, lambda: {"permutation": P, "spec": SPEC}),
    Call(rf.compose_permutations, lambda: {"first": P, "second": P, "spec": SPEC}),
    Call(rf.apply_transform, lambda: {"spec": SPEC, "transform": rf.Transform(P), "params": dict(A)}),
    Call(rf.invert_transform, lambda: {"transform": rf.Transform(P), "spec": SPEC}),
    Call(rf.compose_transforms, lambda: {"first": rf.Transform(P), "second": rf.Transform(P), "spec": SPEC}),
    Call(rf.normalise, lambda: {"spec": SPEC, "params": dict(A)}),
    Call(rf.interpolate, lambda: {**PAIR, "t": 0.5, "method": "lerp"}),
    Call(rf.loss_curve, lambda: {"evaluate": lambda p: 1.0, **PAIR, "ts": 3, "method": "lerp"}),
    Call(
        rf.merge_many,
        lambda: {"spec": SPEC, "models": [dict(A), dict(B)], "rng": 0, "max_iter": 3, "threads": 1},
    ),
    Call(rf.frank_wolfe_matching, lambda: {"spec": SPEC, **PAIR, "rng": 0, "max_iter": 3, "threads": 1}),
    Call(rf.activation_matching, lambda: {"spec": SPEC, **models("model_a", "model_b"), "batches": inputs()}),
    Call(
        rf.straight_through_matching,
        lambda: {"spec": SPEC, **models("model"), **PAIR, "batches": batches(), "loss": loss, **TRAINED},
    ),
    Call(
        rf.straight_through_matching,
        lambda: {
            "spec": SPEC,
            **models("model"),
            **PAIR,
            "batches": batches(),
            "loss": loss,
            "symmetries": "all",
            "move_both": False,
            "init": P,
            "max_iter": 1,
        },
    ),
    Call(rf.sinkhorn_matching, lambda: {"spec": SPEC, "model": None, **PAIR, "steps": 3, **TRAINED}),
    Call(
        rf.sinkhorn_matching,
        lambda: {"spec": SPEC, "model": None, **PAIR, "steps": 3, "tau": 1.0, "iterations": 5, "noise": 0.1},
    ),
    Call(
        rf.repair,
        lambda: {**models("model", "model_a", "model_b"), "batches": inputs(), "t": 0.5, "passes": 1},
    ),
    Call(rf.reset_batch_norm, lambda: {**models("model"), "batches": inputs()}),
    Call(rf.trace_spec, lambda: {**models("model"), "example_inputs": inputs()[0]}),
    Call(rf.load_params, lambda: {"path": file_name(), "entry": None, "library": "numpy"}),
    Call(rf.save_params, lambda: {"path": file_name(), "params": dict(A), "like": None, "metadata": None}),
    Call(rf.save_params, lambda: {"path": file_name(), "params": dict(A), "overwrite": False}),
    Call(save_permutation, lambda: {"path": file_name(), "permutation": P, "metadata": None}),
    Call(save_transform, lambda: {"path": file_name(), "spec": SPEC, "transform": rf.Transform(P)}),
    Call(
        save_transform,
        lambda: {"path": file_name(), "spec": SPEC, "transform": rf.Transform(P), "metadata": None},
    ),
    Call(load_transform, lambda: {"path": file_name()}),
    Call(load_permutation, lambda: {"path": file_name()}),
    Call(rf.specs.mlp, lambda: {"layers": ["fc1", "fc2"], "bias": True, "layout": "torch", "norm": "batch"}),
    Call(rf.specs.for_params, lambda: {"params": dict(A)}),
    Call(rf.PermutationSpec, lambda: {"axes": {"w": ("P", None)}, "unmatched": (), "sizes": None}),
    Call(SPEC.sizes, lambda: {"params": dict(A)}),
    Call(SPEC.verify, lambda: {**models("model"), "example_inputs": inputs()[0]}),
    Call(rf.PermutationSpec.from_json, lambda: {"text": SPEC.to_json()}),
    Call(CURVE.barrier, lambda: {"definition": "mean", "metric": "loss"}),
]


def wrong_answer(call: Call, argument: str, nonsense: Any) -> str | None:
    """The fault of an answer: an exception from inside, or one that does not name the argument; None if it is right."""
    arguments = {**call.arguments(), argument: nonsense}
    try:
        call.function(**arguments)
    except rf.RebasinError:
        return None
    except (TypeError, ValueError, KeyError) as error:
        names = (argument, *ALSO.get(argument, ()))
        if any(name.replace("_", " ") in str(error).replace("_", " ") for name in names):
            return None
        return f"{type(error).__name__}: {str(error)[:120]}"
    except Exception as error:
        return f"{type(error).__name__} from inside: {str(error)[:120]}"
    return None
