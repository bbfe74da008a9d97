"""Trained curves: a plain loop in their place, a problem whose best bend is known, checkpoints, BatchNorm."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

import rebasin_fast as rf
from helpers.networks import mlp
from rebasin_fast.analysis import connect
from rebasin_fast.evaluation import Evaluator

cross_entropy = nn.functional.cross_entropy
KINDS = ["bezier", "polygonal"]


def batches(count=4, size=16, features=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, size, features, generator=rng)
    return [(x, (x[:, 0] > x[:, 1]).long()) for x in inputs]


def network(seed, *, norm=False, dtype=torch.float32):
    torch.manual_seed(seed)
    layers = [nn.Linear(5, 8), *([nn.BatchNorm1d(8)] if norm else []), nn.ReLU(), nn.Linear(8, 2)]
    return nn.Sequential(*layers).to(dtype)


def state(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


MODEL, A, B = network(0), state(network(1)), state(network(2))


class Point(nn.Module):
    """Two parameters, which are the output."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, _inputs):
        return self.w


def ring(point, _target):
    """Zero on the unit circle, 1 in its middle."""
    return ((point**2).sum() - 1.0) ** 2


LEFT, RIGHT = ({"w": torch.tensor([x, 0.2], dtype=torch.float64)} for x in (-0.98, 0.98))


def ring_along(kind, bend):
    """The loss at 201 points of a curve around the ring."""
    t = np.linspace(0, 1, 201)[:, None]
    left, right = LEFT["w"].numpy(), RIGHT["w"].numpy()
    if kind == "bezier":
        way = (1 - t) ** 2 * left + 2 * t * (1 - t) * bend + t**2 * right
    else:
        way = np.where(t < 0.5, left + 2 * t * (bend - left), bend + (2 * t - 1) * (right - bend))
    return ((way**2).sum(1) - 1) ** 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_goes_around_the_middle_of_a_ring(kind):
    data, steps = [(torch.zeros(1), torch.zeros(1))] * 100, 600
    found = connect(
        Point(), LEFT, RIGHT, data, ring, kind=kind, steps=steps, learning_rate=0.03,
        schedule=lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.01, steps),
    )  # fmt: skip
    best = minimize(lambda bend: ring_along(kind, bend).mean(), [0.0, 1.0], method="Nelder-Mead")
    np.testing.assert_allclose(found.points[1]["w"].numpy(), best.x, atol=0.05)
    along = rf.loss_curve(lambda p: float(ring(p["w"], None)), path=found)
    line = rf.loss_curve(lambda p: float(ring(p["w"], None)), LEFT, RIGHT)
    assert line.barrier() > 0.9
    assert along.barrier() < ring_along(kind, best.x).max() + 0.03 < 0.3


def plain_loop(kind, bends, steps, rate, decay, momentum=0.9, seed=0):
    """Garipov et al.'s loop, written with one flat vector a control point and without the package."""
    model = network(0)
    shapes = {name: value.shape for name, value in A.items()}
    a, b = (torch.cat([model_[name].flatten() for name in shapes]) for model_ in (A, B))
    last = bends + 1
    free = [(a + (b - a) * i / last).requires_grad_() for i in range(1, last)]
    velocity = [torch.zeros_like(a) for _ in free]
    data, number = batches(), int(np.random.default_rng(seed).integers(2**62))
    losses = []
    for step in range(steps):
        t = np.random.default_rng([number, step]).random()
        points = [a, *free, b]
        if kind == "bezier":
            while len(points) > 1:
                points = [p + t * (q - p) for p, q in pairwise(points)]
            here = points[0]
        else:
            piece = min(int(t * last), last - 1)
            here = points[piece] + (t * last - piece) * (points[piece + 1] - points[piece])
        pieces = here.split([shape.numel() for shape in shapes.values()])
        params = {n: p.reshape(s) for p, (n, s) in zip(pieces, shapes.items(), strict=True)}
        x, y = data[step % len(data)]
        loss = cross_entropy(torch.func.functional_call(model, params, (x,)), y) + decay / 2 * (here**2).sum()
        gradients = torch.autograd.grad(loss, free, allow_unused=True)
        losses.append(float(loss.detach()))
        with torch.no_grad():
            for bend, v, gradient in zip(free, velocity, gradients, strict=True):
                v.mul_(momentum).add_(torch.zeros_like(bend) if gradient is None else gradient)
                bend.sub_(rate * v)
    return losses, [bend.detach() for bend in free]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("bends", "decay"), [(1, 0.0), (1, 0.1), (3, 0.01)])
def test_the_loop_is_the_published_one(kind, bends, decay):
    losses, expected = plain_loop(kind, bends, 10, 0.05, decay)
    found = connect(
        MODEL, A, B, batches(), kind=kind, bends=bends, steps=10, learning_rate=0.05, weight_decay=decay
    )
    np.testing.assert_allclose(found.losses, losses, rtol=1e-5)
    for bend, flat in zip(found.points[1:-1], expected, strict=True):
        np.testing.assert_allclose(torch.cat([w.flatten() for w in bend.values()]), flat, atol=1e-5)


def test_no_bend_is_the_line():
    found = connect(MODEL, A, B, [], bends=0)
    assert found.bends == 0
    for t in (0.0, 0.3, 1.0):
        for name, value in rf.interpolate(A, B, t).items():
            assert torch.equal(found.at(t)[name], value)


def test_ends_and_model_stay_as_they_are():
    before = [state(MODEL), {n: v.clone() for n, v in A.items()}, {n: v.clone() for n, v in B.items()}]
    MODEL.train()
    found = connect(MODEL, A, B, batches(), epochs=2, learning_rate=0.1)
    assert MODEL.training
    assert found.losses.shape == (8,)
    for kept, now in zip(before, [state(MODEL), A, B], strict=True):
        assert all(torch.equal(kept[name], now[name]) for name in kept)
    assert found.points[0] is A
    assert found.points[-1] is B
    assert not any(value.requires_grad for value in found.points[1].values())


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("stopped", [3, 4, 6])
def test_a_resumed_run_gives_the_same_curve(tmp_path, suffix, stopped):
    options = {
        "learning_rate": 0.05,
        "rng": 5,
        "bends": 2,
        "schedule": lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.5),
        "checkpoint_every": 1,
    }
    file = tmp_path / f"curve{suffix}"
    whole = connect(MODEL, A, B, batches(), steps=9, checkpoint=tmp_path / f"whole{suffix}", **options)
    connect(MODEL, A, B, batches(), steps=stopped, checkpoint=file, **options)
    found = connect(MODEL, A, B, batches(), steps=9, checkpoint=file, **options)
    assert found.losses.tolist() == whole.losses.tolist()
    for one, other in zip(found.points, whole.points, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    again = connect(MODEL, A, B, batches(), steps=9, checkpoint=file, **options)
    assert again.losses.tolist() == whole.losses.tolist()


def test_a_checkpoint_of_another_curve_is_refused(tmp_path):
    file = tmp_path / "curve.npz"
    connect(MODEL, A, B, batches(), steps=1, checkpoint=file)
    for a, options in ((B, {}), (A, {"kind": "polygonal"}), (A, {"bends": 2})):
        with pytest.raises(rf.FileFormatError, match="belongs to another curve"):
            connect(MODEL, a, B, batches(), steps=2, checkpoint=file, **options)


def test_numpy_params_in_numpy_params_out():
    a, b = ({n: v.double().numpy() for n, v in p.items()} for p in (A, B))
    found = connect(MODEL, a, b, batches(), steps=3)
    expected = connect(MODEL, A, B, batches(), steps=3)
    assert {value.dtype for value in found.points[1].values()} == {np.dtype(np.float64)}
    for name, value in found.points[1].items():
        np.testing.assert_allclose(value, expected.points[1][name], atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_other_dtypes(dtype):
    a, b = (state(network(seed, dtype=dtype)) for seed in (1, 2))
    data = [(x.to(dtype), y) for x, y in batches()]
    found = connect(network(0, dtype=dtype), a, b, data, epochs=2, learning_rate=0.05)
    assert {value.dtype for value in found.points[1].values()} == {dtype}
    wide = connect(MODEL, A, B, batches(), epochs=2, learning_rate=0.05)
    np.testing.assert_allclose(found.losses, wide.losses, atol=0.01)


def test_batch_norm_runs_on_the_statistics_of_batches():
    models = [network(seed, norm=True) for seed in (0, 1, 2)]
    for model in models[1:]:
        for x, _ in batches():
            model(x * 3 + 1)
    model, (a, b) = models[0], map(state, models[1:])
    before = state(model)
    found = connect(model, a, b, batches(), epochs=3, learning_rate=0.1)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    middle = found.at(0.5)
    assert middle["1.num_batches_tracked"] == a["1.num_batches_tracked"]
    np.testing.assert_allclose(
        middle["1.running_mean"], (a["1.running_mean"] + b["1.running_mean"]) / 2, atol=1e-6
    )
    stale = Evaluator(model, batches())(middle)["loss"]
    measured = Evaluator(model, batches(), batch_norm_batches=[x for x, _ in batches()])(middle)["loss"]
    assert measured < stale


def test_tied_parameters_stay_tied():
    class Tied(nn.Module):
        def __init__(self, seed):
            super().__init__()
            torch.manual_seed(seed)
            self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(torch.relu(self.first(x)))

    found = connect(Tied(0), state(Tied(1)), state(Tied(2)), batches(), steps=3, learning_rate=0.1)
    bend = found.points[1]
    assert torch.equal(bend["first.weight"], bend["second.weight"])
    assert not torch.equal(bend["first.bias"], bend["second.bias"])


def test_progress_and_a_loss_of_ones_own():
    events = []
    connect(MODEL, A, B, batches(), lambda o, y: cross_entropy(o, y) * 0.0 + 2.5, progress=events.append)
    assert [(event.sweep, event.visit, event.objective) for event in events] == [
        (1, i, 2.5) for i in range(1, 5)
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "spline"}, "kind is 'bezier' or 'polygonal'; got 'spline'"),
        ({"bends": -1}, "bends is a whole number, 0 or more; got -1"),
        ({"steps": 0}, "steps is a whole number, 1 or more or None; got 0"),
        ({"epochs": 0}, "epochs is a whole number, 1 or more; got 0"),
        ({"weight_decay": -0.1}, "weight_decay is 0 or more, got -0.1"),
        ({"checkpoint_every": 2}, "checkpoint_every needs a file"),
        ({"learning_rate": 1e6, "steps": 50}, "lower the learning rate"),
        ({"learning_rate": 1e30}, "learning_rate is a number, finite above 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        connect(MODEL, A, B, batches(), **options)


def test_wrong_data_and_wrong_models(tmp_path):
    with pytest.raises(rf.DataError, match="it is empty"):
        connect(MODEL, A, B, [])
    with pytest.raises(rf.ParamsError, match="is in model A only"):
        connect(MODEL, A, {name: value for name, value in B.items() if name != "0.bias"}, batches())
    other = state(mlp([5, 8, 8, 2]))
    with pytest.raises(rf.ParamsError, match="is unknown to the model"):
        connect(MODEL, other, other, batches())
    with pytest.raises(rf.FileFormatError, match="checkpoint of connect"):
        connect(MODEL, A, B, batches(), checkpoint=tmp_path / "curve.pt")
    with pytest.raises(TypeError, match=r"model is a torch\.nn\.Module"):
        connect(A, A, B, batches())
