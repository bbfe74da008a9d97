"""Small models, specs and data that the calls share."""

import os
import tempfile
from functools import lru_cache

import numpy as np
import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast import permutation

RNG = np.random.default_rng(0)
SPEC = rf.specs.mlp(["fc1", "fc2"])
SHAPES = {"fc1.weight": (4, 3), "fc1.bias": (4,), "fc2.weight": (2, 4), "fc2.bias": (2,)}
A, B, C = ({n: RNG.standard_normal(s).astype(np.float32) for n, s in SHAPES.items()} for _ in "abc")
PAIR = {"params_a": A, "params_b": B}
P = {"P0": np.array([1, 0, 3, 2])}
COST = RNG.random((4, 4))
INPUTS = torch.from_numpy(RNG.standard_normal((5, 3)).astype(np.float32))
CLASSES = torch.tensor([0, 1, 1, 0, 1])
BATCHES = [(INPUTS, CLASSES)]
FOLDER = tempfile.mkdtemp()
CURVE = rf.LossCurve(np.array([0, 0.5, 1]), {"loss": np.array([1.0, 3.0, 2.0])})


def model(norm=False):
    net = nn.Sequential()
    net.add_module("fc1", nn.Linear(3, 4))
    if norm:
        net.add_module("norm", nn.BatchNorm1d(4))
    net.add_module("relu", nn.ReLU())
    net.add_module("fc2", nn.Linear(4, 2))
    return net


def evaluate(params):
    return float((np.asarray(params["fc1.weight"], np.float64) ** 2).sum())


def loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets)


@lru_cache
def matching():
    return rf.weight_matching(SPEC, A, B)


@lru_cache
def many():
    return rf.merge_many(SPEC, [A, B], max_iter=2)


def new_file(ending):
    return os.path.join(tempfile.mkdtemp(dir=FOLDER), f"x.{ending}")


def saved(result):
    """A new file of a result."""
    path = new_file("npz")
    result.save(path)
    return path


@lru_cache
def saved_params():
    path = new_file("npz")
    rf.save_params(path, A)
    return path


@lru_cache
def saved_permutation():
    path = new_file("npz")
    rf.files.save_permutation(path, P)
    return path


@lru_cache
def saved_transform():
    path = new_file("npz")
    permutation.save_transform(path, SPEC, rf.Transform(P))
    return path


@lru_cache
def symmetric_matching():
    return rf.weight_matching(SPEC, A, B, symmetries="all", max_iter=2)
