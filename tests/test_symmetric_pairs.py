"""What the programs on signs and scales measure, on pairs whose transform is known."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import planted_symmetries  # noqa: E402
import symmetric_pairs  # noqa: E402
from networks import training  # noqa: E402

import rebasin_fast as rf  # noqa: E402
from rebasin_fast.permutation import random_transform  # noqa: E402
from rebasin_fast.permutation.trial import Trial  # noqa: E402


def pair(activation):
    """A perceptron, and the same function under a random transform of all groups."""
    torch.manual_seed(0)
    model = training.perceptron(5, 12, 12, 3, activation=activation).double().eval()
    inputs = torch.randn(40, 5, dtype=torch.float64)
    outputs = model(inputs).detach()
    a = {name: value.clone() for name, value in model.state_dict().items()}
    spec = rf.trace_spec(model, inputs)
    b = rf.apply_transform(spec, random_transform(spec, spec.sizes(a), np.random.default_rng(0)), a)

    def evaluate(params):
        found = training.loaded(model, params)(inputs).detach()
        return {"loss": float((found - outputs).square().mean()), "accuracy": 1.0}

    return symmetric_pairs.Pair("planted", "seed 0", model, inputs, a, b, evaluate)


@pytest.mark.parametrize("activation", [torch.nn.Tanh, torch.nn.ReLU])
def test_all_symmetries_end_the_barrier_that_permutations_leave(activation):
    measured = pair(activation)
    rows = {method: measured.row(method) for method in symmetric_pairs.METHODS}
    assert abs(rows["all"]["barrier"]) < 1e-12 < 1e-6 < rows["permutations"]["barrier"]
    assert rows["all"]["cosine"] > 1 - 1e-9 > rows["permutations"]["cosine"] > rows["naive"]["cosine"]
    assert all(end["loss"] < 1e-12 for row in rows.values() for end in row["ends"])


def test_the_table_has_a_row_a_pair_and_no_barrier_without_a_loss():
    measured = pair(torch.nn.Tanh)
    unlabelled = dataclasses.replace(measured, evaluate=lambda _params: {"accuracy": 0.5})
    rows = [
        {
            "kind": kind,
            "seeds": "",
            "methods": {method: each.row(method) for method in symmetric_pairs.METHODS},
        }
        for kind, each in (("labelled", measured), ("unlabelled", unlabelled))
    ]
    lines = symmetric_pairs.text_of(rows).splitlines()
    assert next(line for line in lines if line.startswith("| labelled")).count("–") == 0
    assert next(line for line in lines if line.startswith("| unlabelled")).count("–") == 3


def test_a_planted_transform_without_noise_has_all_units_and_no_distance():
    model, inputs = training.perceptron(5, 12, 12, 3, activation=torch.nn.Tanh), torch.zeros(4, 5)
    spec = rf.trace_spec(model, inputs)

    def measured(noise):
        return planted_symmetries.trial(spec, Trial(model, inputs, np.random.default_rng(0)), ("", noise, 0))

    exact, noisy = measured(0.0), measured(0.2)
    assert exact["all, units"] == 1.0
    assert exact["all, distance"] < 1e-9 < exact["permutations, distance"]
    assert exact["permutations, units"] < 1.0
    assert noisy["all, units"] == 1.0
    assert noisy["all, distance"] == pytest.approx(noisy["noise"])
