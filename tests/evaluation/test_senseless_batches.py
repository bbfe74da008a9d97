"""Batches that measure nothing: the error names the batch, and models stay as they were."""

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from rebasin_fast import analysis
from rebasin_fast.evaluation import Evaluator, expected_calibration_error, fit_temperature


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    )


def with_entry(value):
    inputs = torch.ones(20, 4)
    inputs[3, 2] = value
    return inputs


GOOD = torch.linspace(-1, 1, 80).reshape(20, 4)
SENSELESS = {
    "NaN": (with_entry(float("nan")), "batch 1 holds 1 entries that are NaN or infinite: leave it out"),
    "infinity": (with_entry(float("inf")), "batch 1 holds 1 entries that are NaN or infinite: leave it out"),
    "no samples": (torch.zeros(0, 4), r"batch 1 holds no samples \(shape \(0, 4\)\): leave it out"),
    "another width": (torch.zeros(5, 7), r"batch 1 \(inputs of shape \(5, 7\)\) does not fit the model \(Sequential\)"),
    "one sample": (torch.zeros(1, 4), r"batch 1 \(inputs of shape \(1, 4\)\) does not fit the model .* more than 1"),
    "overflow": (torch.full((20, 4), 3e38), "batch 1 has NaN or infinite activations at BatchNorm layer '1'"),
}  # fmt: skip


def copies(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def is_as_before(model, before):
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", SENSELESS)
def test_batch_norm_is_left_as_it_was(kind):
    batch, message = SENSELESS[kind]
    model = network()
    rf.reset_batch_norm(model, [GOOD])
    before = copies(model)
    for form in (batch, (batch, torch.zeros(len(batch)))):
        with pytest.raises(rf.DataError, match=message):
            rf.reset_batch_norm(model, [GOOD, form, GOOD])
        assert is_as_before(model, before)
        assert (model.training, model[1].momentum) == (True, 0.1)
    rf.reset_batch_norm(model, [GOOD, GOOD])  # the cure: without it


@pytest.mark.parametrize("kind", [kind for kind in SENSELESS if kind != "overflow"])
def test_a_repaired_model_is_left_as_it_was(kind):
    batch, message = SENSELESS[kind]
    model, before = network(), copies(network())
    with pytest.raises(rf.DataError, match=message):
        rf.repair(model, network(1), network(2), [GOOD, batch])
    assert is_as_before(model, before)
    first = message.replace("batch 1", "batch 0")
    if kind != "one sample":  # which the first look at the model, in eval mode, may take
        with pytest.raises(rf.DataError, match=first):
            rf.repair(model, network(1), network(2), [batch, GOOD])
        assert is_as_before(model, before)
    assert rf.repair(model, network(1), network(2), [GOOD])


def test_an_evaluator_names_the_batch_and_its_source():
    labels = torch.zeros(20, dtype=torch.long)
    model = network().eval()
    params = model.state_dict()
    wide, pair = (torch.zeros(20, 7), labels), (GOOD, labels)
    with pytest.raises(rf.DataError, match=r"batch 1 of batches \(inputs of shape \(20, 7\)\) does not fit"):
        Evaluator(model, [pair, wide])(params)
    with pytest.raises(rf.DataError, match="batch 0 of batches has no targets: leave it out"):
        Evaluator(model, [(GOOD[:0], labels[:0])])(params)
    with pytest.raises(
        rf.DataError, match="batch 1 of batches has 7 targets, and the model gives 20 outputs"
    ):
        Evaluator(model, [pair, (GOOD, labels[:7])])(params)
    with pytest.raises(rf.DataError, match=r"batch 1 of calibration_batches .* does not fit"):
        Evaluator(model, [pair], calibration_batches=[pair, wide]).calibrated(params)
    with pytest.raises(rf.DataError, match="batch 0 holds 1 entries that are NaN"):
        Evaluator(model, [pair], batch_norm_batches=[SENSELESS["NaN"][0]])(params)
    with pytest.raises(rf.DataError, match="gave no batches"):
        rf.loss_curve(Evaluator(model, []), params, params, ts=3)


def test_calibration_and_agreement_of_nothing():
    for function in (expected_calibration_error, fit_temperature):
        with pytest.raises(rf.DataError, match=r"n and C at least 1; got \(0, 3\) and \(0,\)"):
            function(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises((ValueError, TypeError), match="permutation"):
        analysis.permutation_agreement([], [])


def test_a_barrier_of_a_loss_that_is_nan_is_told():
    curve = rf.loss_curve(lambda params: float("nan"), {"w": np.zeros(2)}, {"w": np.ones(2)}, ts=3)
    with pytest.warns(RuntimeWarning, match="barrier is NaN: loss is nan at t = 0"):
        assert np.isnan(curve.barrier())


@pytest.mark.parametrize(
    "make",
    [
        lambda: rf.LossCurve(np.zeros(3), {"loss": np.zeros(2)}),
        lambda: rf.LossCurve(np.array([0.0, np.nan]), {"loss": np.zeros(2)}),
        lambda: rf.LossCurve(np.zeros((2, 2)), {"loss": np.zeros((2, 2))}),
        lambda: rf.LossCurve("ab", {"loss": np.zeros(2)}),
        lambda: rf.LossCurve(np.zeros(2), {}),
        lambda: rf.LossCurve(np.zeros(2), np.zeros(2)),
        lambda: rf.LossCurve(np.zeros(2), {"loss": ["a", "b"]}),
        lambda: analysis.DistanceReduction(["a"], np.zeros(2), np.zeros(2), 1.0, 1.0),
        lambda: analysis.MutualBarriers(["a", "b"], np.zeros(3), {"loss": np.zeros((1, 2))}),
        lambda: analysis.LossSimplex(np.eye(3), {"loss": np.zeros(2)}),
        lambda: analysis.Agreement({"P": np.zeros(1)}, np.zeros(1), {"P": 0.1}, {}),
        lambda: analysis.TaylorBarrier(
            0.5, 1, np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(3), np.zeros(2)
        ),
        lambda: analysis.ModeCurve("bezier", [{"w": np.zeros(1)}, {"w": np.ones(1)}], 3.0),
        lambda: analysis.DistanceReduction(None, None, None, None, None),
    ],
)
def test_results_made_by_hand_fit_together(make):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert not isinstance(caught.value, rf.ParamsError)


@pytest.mark.parametrize("t", [float("nan"), float("inf"), -0.1, "half", None, 1 + 1j])
def test_a_place_on_a_curve_is_a_number(t):
    curve = analysis.ModeCurve("polygonal", [{"w": np.zeros(1)}, {"w": np.ones(1)}])
    with pytest.raises((TypeError, ValueError), match=r"t is a number from 0 \(A\) to 1 \(B\)"):
        curve.at(t)


class Masked(torch.nn.Module):
    """Reads a mask of zeros and minus infinity beside its inputs."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(4)

    def forward(self, x, mask):
        return self.norm(x) * torch.softmax(mask, 1)


def test_masks_of_infinities_are_inputs_and_nan_is_none():
    model, mask = Masked(), torch.tensor([[0.0, 0.0, 0.0, float("-inf")]])
    rf.reset_batch_norm(model, [{"x": GOOD, "mask": mask}])
    assert torch.allclose(model.norm.running_mean, GOOD.mean(0))
    with pytest.raises(rf.DataError, match="batch 0 holds 4 entries that are NaN"):
        rf.reset_batch_norm(model, [{"x": GOOD, "mask": mask * float("nan")}])
