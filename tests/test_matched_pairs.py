"""Lines between networks whose permutation is known, by the shared part of Git Re-Basin's programs."""

import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

from networks import mnist, training  # noqa: E402
from papers import matched_pairs  # noqa: E402

import rebasin_fast as rf  # noqa: E402

SIZES = matched_pairs.Sizes(train=60, test=40, steps=3, batch=20)


@pytest.fixture
def planted():
    """A perceptron, and the same function with its hidden units in another order."""
    torch.manual_seed(0)
    model = training.perceptron(20, 32, 32, 10)
    spec, rng = rf.specs.mlp(mnist.layer_names(3)), np.random.default_rng(0)
    a = {name: value.detach() for name, value in model.state_dict().items()}
    permutation = {name: rng.permutation(32) for name in spec.perm_to_axes}
    inputs, labels = torch.randn(200, 20), torch.randint(0, 10, (200,))
    train = matched_pairs.Labelled(inputs[:120], labels[:120])
    test = matched_pairs.Labelled(inputs[120:], labels[120:])
    b = rf.apply_permutation(spec, permutation, a)
    return matched_pairs.Pair("planted", "planted", model, spec, a, b, train, test, SIZES, 0.1, nullcontext)


@pytest.mark.parametrize("method", matched_pairs.METHODS)
def test_a_planted_permutation_leaves_no_barrier(planted, method, tmp_path):
    curve = planted.line(method, 5, tmp_path)
    spread = np.ptp(curve.values["test_loss"])
    assert (spread < 1e-5) == (method != "naive")
    assert curve.values["test_loss"][0] == pytest.approx(curve.values["test_loss"][-1], abs=1e-5)


def test_a_line_is_measured_once(planted, tmp_path, monkeypatch):
    first = planted.line("weights", 3, tmp_path)
    monkeypatch.setattr(matched_pairs.Pair, "evaluate", None)
    np.testing.assert_array_equal(
        planted.line("weights", 3, tmp_path).values["train_loss"], first.values["train_loss"]
    )


def test_scores_are_means_over_samples():
    outputs = torch.log(torch.tensor([[0.5, 0.5], [0.25, 0.75]]))
    found = matched_pairs.scores(outputs, matched_pairs.Labelled(torch.zeros(2, 1), torch.tensor([0, 1])))
    assert found["loss"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert found["accuracy"] == 1.0


def test_drawn_batches_begin_again(planted):
    batches = list(planted.train.drawn(9, 50))
    assert [len(labels) for _, labels in batches] == [50] * 9
