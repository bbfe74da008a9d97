"""The Taylor estimate: exact on polynomials, and the derivatives of slow references elsewhere."""

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.analysis import TaylorBarrier, taylor_barrier

torch = pytest.importorskip("torch")
nn, mse, entropy = torch.nn, torch.nn.functional.mse_loss, torch.nn.functional.cross_entropy


def random_params(model, seed):
    """Values for all parameters and buffers; variances positive."""
    generator = torch.Generator().manual_seed(seed)
    params = {}
    for name, value in model.state_dict().items():
        drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64) * 0.7
        params[name] = value if not value.is_floating_point() else drawn.exp() if "var" in name else drawn
    return params


def loss_at(model, a, b, batches, loss):
    """The loss on the line, by the plain program: interpolate, load, run in eval mode, mean over samples."""

    def evaluate(t):
        model.load_state_dict({name: torch.as_tensor(v) for name, v in rf.interpolate(a, b, t).items()})
        model.eval()
        with torch.no_grad():
            total = sum(float(loss(model(x), y)) * len(y) for x, y in batches)
        return total / sum(len(y) for _, y in batches)

    return evaluate


def classified(shape=(3,), classes=4, sizes=(5, 2)):
    generator = torch.Generator().manual_seed(9)
    return [
        (
            torch.randn(n, *shape, generator=generator, dtype=torch.float64),
            torch.randint(0, classes, (n,), generator=generator),
        )
        for n in sizes
    ]


def network():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()


def batch_normed():
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 4)).double()


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("order", [2, 3])
def test_a_quadratic_loss_is_estimated_exactly(t, order):
    model = nn.Linear(3, 2).double()
    a, b = random_params(model, 0), random_params(model, 1)
    batches = [(torch.randn(n, 3).double(), torch.randn(n, 2).double()) for n in (4, 7)]
    found = taylor_barrier(model, a, b, batches, mse, order=order, t=t)
    assert found.estimate == pytest.approx(found.barrier, rel=1e-12)
    np.testing.assert_allclose(found.estimated_losses(found.ts), found.measured, rtol=1e-12)
    np.testing.assert_allclose(found.second[0], found.second[1], rtol=1e-12)
    # The barrier of a parabola of curvature c.
    assert found.barrier == pytest.approx(-t * (1 - t) / 2 * found.second[0], rel=1e-10)
    if order == 3:
        np.testing.assert_allclose(found.third, 0, atol=1e-12)


def test_a_cubic_loss_needs_the_third_term():
    model = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(3))).double()
    a, b = random_params(model, 0), random_params(model, 1)
    batches = [(torch.randn(6, 2).double(), torch.zeros(6))]
    found = taylor_barrier(model, a, b, batches, lambda outputs, _: outputs.mean(), order=3, t=0.3)
    np.testing.assert_allclose(found.expansions(found.ts), [found.measured] * 2, rtol=1e-9, atol=1e-12)
    assert found.estimate == pytest.approx(found.barrier, rel=1e-9)
    assert found.estimated_barrier(order=2) != pytest.approx(found.barrier, rel=1e-2)
    second = taylor_barrier(model, a, b, batches, lambda outputs, _: outputs.mean(), t=0.3)
    assert second.estimate == pytest.approx(found.estimated_barrier(order=2), rel=1e-12)
    assert np.isnan(second.third).all()


def test_derivatives_are_those_of_the_explicit_hessian():
    model = network()
    a, b = random_params(model, 0), random_params(model, 1)
    names, batches = list(a), classified()
    flat_a, flat_b = (torch.cat([p[name].flatten() for name in names]) for p in (a, b))

    def of_flat(flat):
        parts = flat.split([a[name].numel() for name in names])
        params = {name: part.reshape(a[name].shape) for name, part in zip(names, parts, strict=True)}
        losses = [
            entropy(torch.func.functional_call(model, params, (x,)), y, reduction="sum") for x, y in batches
        ]
        return sum(losses) / sum(len(y) for _, y in batches)

    found = taylor_barrier(model, a, b, batches, entropy)
    direction = flat_b - flat_a
    for end, flat in enumerate((flat_a, flat_b)):
        gradient, hessian = torch.func.grad(of_flat)(flat), torch.func.hessian(of_flat)(flat)
        assert found.losses[end] == pytest.approx(float(of_flat(flat)), rel=1e-12)
        assert found.first[end] == pytest.approx(float(gradient @ direction), rel=1e-10)
        assert found.second[end] == pytest.approx(float(direction @ hessian @ direction), rel=1e-10)


@pytest.mark.parametrize("build", [network, batch_normed])
def test_derivatives_are_those_of_finite_differences(build):
    """Running statistics lie on the line too, and their derivatives count."""
    model, plain = build(), build()
    a, b = random_params(model, 0), random_params(model, 1)
    batches = classified()
    found = taylor_barrier(model, a, b, batches, entropy, order=3)
    loss = loss_at(plain, a, b, batches, entropy)
    np.testing.assert_allclose(found.measured, [loss(t) for t in found.ts], rtol=1e-12)
    step = 2e-3
    for end in (0, 1):
        around = np.array([loss(end + k * step) for k in (-2, -1, 0, 1, 2)])
        weights = np.array([[1, -8, 0, 8, -1], [-1, 16, -30, 16, -1], [-6, 12, 0, -12, 6]]) / 12
        derivatives = weights @ around / step ** np.array([1, 2, 3])
        assert found.first[end] == pytest.approx(derivatives[0], rel=1e-6)
        assert found.second[end] == pytest.approx(derivatives[1], rel=1e-5)
        assert found.third[end] == pytest.approx(derivatives[2], rel=2e-2, abs=1e-3)


def test_batch_statistics():
    model, plain = batch_normed(), batch_normed()
    a, b = random_params(model, 0), random_params(model, 1)
    batches = classified(sizes=(6, 6))
    found = taylor_barrier(model, a, b, batches, entropy, batch_norm="batch")
    for t, measured in zip(found.ts, found.measured, strict=True):
        plain.load_state_dict({n: torch.as_tensor(v) for n, v in rf.interpolate(a, b, float(t)).items()})
        plain.train()
        assert measured == pytest.approx(
            np.mean([float(entropy(plain(x), y).detach()) for x, y in batches]), rel=1e-10
        )


def test_one_model_has_no_barrier():
    model = network()
    a = random_params(model, 0)
    found = taylor_barrier(model, a, a, classified(), entropy, order=3)
    assert found.estimate == found.barrier == 0.0
    assert not np.concatenate([found.first, found.second, found.third]).any()


def test_the_order_of_the_ends_is_a_reflection():
    model = network()
    a, b = random_params(model, 0), random_params(model, 1)
    there = taylor_barrier(model, a, b, classified(), entropy, order=3, t=0.2)
    back = taylor_barrier(model, b, a, classified(), entropy, order=3, t=0.8)
    assert back.estimate == pytest.approx(there.estimate, rel=1e-10)
    assert back.barrier == pytest.approx(there.barrier, rel=1e-10)
    np.testing.assert_allclose(back.third[::-1], -there.third, rtol=1e-9)


def test_the_model_stays_as_it_was_and_batches_are_gone_through_once():
    model = batch_normed().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    a, b = random_params(model, 0), random_params(model, 1)
    events, passes = [], []

    def batches():
        passes.append(1)
        return iter(classified())

    found = taylor_barrier(model, a, b, batches, entropy, progress=lambda *e: events.append(e))
    assert passes == [1]
    assert events == [(1, None), (2, None)]
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all("forward" not in vars(module) for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    numbers = {name: value.numpy() for name, value in a.items()}
    again = taylor_barrier(model, numbers, b, classified(), entropy)
    np.testing.assert_array_equal(again.second, found.second)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["convolutions", "attention"])
def test_networks_in_use(kind):
    """Convolutions, pooling, norms, attention: against differences of the loss in float64."""
    if kind == "convolutions":
        model = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.AvgPool2d(2), nn.Conv2d(4, 4, 3),
            nn.GroupNorm(2, 4), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4),
        ).double()  # fmt: skip
        batches = classified((3, 8, 8))
    else:
        layer = nn.TransformerEncoderLayer(8, 2, 6, activation="gelu", batch_first=True)
        model = nn.Sequential(layer, nn.LayerNorm(8), nn.Flatten(), nn.Linear(40, 4)).double()
        batches = classified((5, 8))
    a = random_params(model, 0)
    b = {
        name: value + 0.1 * torch.rand(value.shape) if value.is_floating_point() else value
        for name, value in a.items()
    }
    found = taylor_barrier(model, a, b, batches, entropy, order=3)
    loss, step = loss_at(model, a, b, batches, entropy), 1e-3
    for end in (0, 1):
        low, middle, high = (loss(end + k * step) for k in (-1, 0, 1))
        assert found.losses[end] == pytest.approx(middle, rel=1e-10)
        assert found.first[end] == pytest.approx((high - low) / 2 / step, rel=1e-3, abs=1e-6)
        assert found.second[end] == pytest.approx((high - 2 * middle + low) / step**2, rel=1e-2, abs=1e-4)


def test_tied_parameters_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(torch.tanh(self.first(x)))

    model, plain = Tied().double(), Tied().double()
    a, b = random_params(model, 0), random_params(model, 1)
    a["second.weight"], b["second.weight"] = a["first.weight"], b["first.weight"]
    batches = classified(classes=3)
    found = taylor_barrier(model, a, b, batches, entropy)
    loss, step = loss_at(plain, a, b, batches, entropy), 1e-4
    assert found.first[0] == pytest.approx((loss(step) - loss(-step)) / 2 / step, rel=1e-6)


def test_saved_drawn_and_given_to_pandas(tmp_path):
    model = network()
    found = taylor_barrier(
        model, random_params(model, 0), random_params(model, 1), classified(), entropy, t=0.4
    )
    found.save(tmp_path / "taylor.npz")
    again = TaylorBarrier.load(tmp_path / "taylor.npz")
    assert (again.estimate, again.barrier, again.order, again.t) == (found.estimate, found.barrier, 2, 0.4)
    assert found.ts.tolist() == [0, 0.25, 0.4, 0.5, 0.75, 1]
    pytest.importorskip("matplotlib")
    assert len(found.plot().get_lines()) == 5
    table = pytest.importorskip("pandas") and found.to_pandas()
    assert list(table.columns) == ["t", "loss", "estimate", "expansion_a", "expansion_b"]
    assert table["loss"].iloc[0] == table["estimate"].iloc[0] == found.losses[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 4}, "order is 2 or 3; got 4"),
        ({"t": 0.0}, "0 < t < 1; got 0.0"),
        ({"t": float("nan")}, "t is a number, finite; got nan"),
        ({"ts": [0.0, 2.0]}, "between 0 and 1; got"),
        ({"batch_norm": "train"}, "'running' or 'batch'; got 'train'"),
    ],
)
def test_options_out_of_range(options, message):
    model = network()
    a = random_params(model, 0)
    with pytest.raises(ValueError, match=message):
        taylor_barrier(model, a, a, classified(), entropy, **options)


def test_faults_of_data_and_params():
    model = network()
    a = random_params(model, 0)
    with pytest.raises(rf.DataError, match="no batches"):
        taylor_barrier(model, a, a, [], entropy)
    with pytest.raises(rf.DataError, match="a pair of inputs and targets"):
        taylor_barrier(model, a, a, [torch.zeros(2, 3)], entropy)
    with pytest.raises(TypeError, match=r"one number as a tensor.* shape \(5,\)"):
        taylor_barrier(model, a, a, classified(), lambda o, y: entropy(o, y, reduction="none"))
    with pytest.raises(TypeError, match="got float"):
        taylor_barrier(model, a, a, classified(), lambda o, y: 1.0)
    with pytest.raises(rf.ParamsError, match=r"of B: '0\.bias' is missing"):
        taylor_barrier(model, a, {n: v for n, v in a.items() if n != "0.bias"}, classified(), entropy)
    with pytest.raises(TypeError, match="model is a torch"):
        taylor_barrier(a, a, a, classified(), entropy)
    with pytest.raises(ValueError, match="between 0 and 2"):
        taylor_barrier(model, a, a, classified(), entropy).estimated_barrier(order=3)
