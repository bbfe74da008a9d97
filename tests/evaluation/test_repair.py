"""REPAIR: statistics after folding against their definition and against a reference that works by hooks."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import nn

import rebasin_fast as rf


def mlp(seed, widths=(6, 24, 20, 16, 4), bias=True):
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 3, groups=2), nn.ReLU(), nn.Flatten(1), nn.Linear(6 * 36, 5),
    )  # fmt: skip


def with_batch_norm(seed):
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6),
        nn.ReLU(), nn.Flatten(1), nn.Linear(6 * 16, 12), nn.ReLU(), nn.Linear(12, 3),
    )  # fmt: skip
    with torch.no_grad():
        for module in model:
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 2.0)
                module.bias.normal_()
    rf.reset_batch_norm(model, [images(200)])
    return model


def vectors(count, seed=5):
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def images(count, seed=6):
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def line(build, t):
    a, b, model = build(0), build(1), build(2)
    model.load_state_dict(rf.interpolate(a.state_dict(), b.state_dict(), t))
    return a.eval(), b.eval(), model.eval()


def statistics(model, batches, names):
    """Mean and deviation of each unit of each layer's output over all batches, in float64."""
    found = {}
    with torch.no_grad():
        for name in names:
            outputs = []
            handle = model.get_submodule(name).register_forward_hook(lambda m, i, o: outputs.append(o))  # noqa: B023
            for batch in batches:
                model(batch)
            handle.remove()
            rows = torch.cat([o.movedim(1, -1).reshape(-1, o.shape[1]) for o in outputs]).double()
            found[name] = rows.mean(0), rows.std(0, correction=0)
    return found


def assert_interpolated(a, b, model, batches, names, t, tolerance):
    of_a, of_b, of_model = (statistics(one, batches, names) for one in (a, b, model))
    for name in names:
        for end_a, end_b, found in zip(of_a[name], of_b[name], of_model[name], strict=True):
            goal = (1 - t) * end_a + t * end_b
            torch.testing.assert_close(found, goal, rtol=tolerance, atol=tolerance)


CASES = [
    pytest.param(mlp, vectors, ["0", "2", "4"], id="mlp"),
    pytest.param(cnn, images, ["0", "2", "4"], id="cnn"),
    pytest.param(with_batch_norm, images, ["1", "4", "7"], id="batch-norm"),
]


@pytest.mark.parametrize("t", [0.5, 0.3])
@pytest.mark.parametrize(("build", "data", "names"), CASES)
def test_statistics_after_folding_are_the_interpolated_ones(build, data, names, t):
    a, b, model = line(build, t)
    batches = [data(150)]
    assert rf.repair(model, a, b, batches, t=t, passes=1 if build is not with_batch_norm else 9) == names
    assert_interpolated(a, b, model, batches, names, t, 1e-4)


@pytest.mark.parametrize(("build", "data", "names"), CASES)
def test_more_passes_are_exact_over_many_batches(build, data, names):
    a, b, model = line(build, 0.5)
    batches = data(150).split(40)
    rough = copy.deepcopy(model)
    rf.repair(model, a, b, batches, passes=1 + len(names))
    assert_interpolated(a, b, model, batches, names, 0.5, 1e-4)
    rf.repair(rough, a, b, iter(batches))  # the published method: near, and not exact
    assert_interpolated(a, b, rough, batches, names, 0.5, 0.3)
    with pytest.raises(AssertionError):
        assert_interpolated(a, b, rough, batches, names, 0.5, 1e-4)


def test_a_reference_that_works_by_hooks():
    """Jordan et al.'s wrapper: every layer's output normalised and rescaled while the model runs."""
    a, b, model = line(mlp, 0.5)
    x = vectors(300)
    goals = [statistics(one, [x], ["0", "2", "4"]) for one in (a, b)]
    reference = copy.deepcopy(model)

    def hook_of(name):
        mean, deviation = ((p + q) / 2 for p, q in zip(goals[0][name], goals[1][name], strict=True))

        def hook(_module, _inputs, y):
            y = y.double()
            return ((y - y.mean(0)) / y.std(0, correction=0) * deviation + mean).float()

        return hook

    for name in ("0", "2", "4"):
        reference.get_submodule(name).register_forward_hook(hook_of(name))
    rf.repair(model, a, b, [x])
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference(x), rtol=1e-4, atol=1e-4)
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in a.named_parameters()]


def test_at_an_end_nothing_is_left_to_correct():
    a, b = mlp(0), mlp(1)
    model = copy.deepcopy(a)
    rf.repair(model, a, b, vectors(100).split(30), t=0.0)
    for found, expected in zip(model.parameters(), a.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_running_statistics_are_measured_again():
    a, b, model = line(with_batch_norm, 0.5)
    reset = copy.deepcopy(model)
    model[1].running_mean.fill_(1e3)
    x = images(150)
    rf.reset_batch_norm(reset, [x])
    rf.repair(model, a, b, [x])
    torch.testing.assert_close(model[1].running_mean, reset[1].running_mean)
    torch.testing.assert_close(model[1].running_var, reset[1].running_var)


def test_without_biases_the_deviations_alone():
    a, b, model = line(lambda seed: mlp(seed, bias=False), 0.5)
    x = vectors(200)
    rf.repair(model, a, b, [x])
    of_a, of_b, found = (statistics(one, [x], ["0", "2"]) for one in (a, b, model))
    for name in ("0", "2"):
        torch.testing.assert_close(found[name][1], (of_a[name][1] + of_b[name][1]) / 2, rtol=1e-4, atol=1e-5)


def test_layers_by_name():
    a, b, model = line(mlp, 0.5)
    before = copy.deepcopy(model)
    assert rf.repair(model, a, b, [vectors(100)], layers=["2"]) == ["2"]
    assert torch.equal(model[0].weight, before[0].weight)
    assert not torch.equal(model[2].weight, before[2].weight)
    with pytest.raises(ValueError, match="layers names '1'"):
        rf.repair(model, a, b, [vectors(100)], layers=["1"])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.out(self.second(self.first(x).relu()).relu()).log_softmax(1)


def test_shared_weights_and_the_output_layer_are_left_alone():
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="no hidden"):
        rf.repair(Tied(), Tied(), Tied(), [vectors(50)])


def test_units_that_never_change_keep_their_weights():
    a, b, model = line(mlp, 0.5)
    for one in (a, b, model):
        with torch.no_grad():
            one[0].weight[3] = 0.0
    with torch.no_grad():
        model[0].bias[3] = 7.0
    rf.repair(model, a, b, [vectors(100)])
    assert (model[0].weight[3] == 0).all()
    torch.testing.assert_close(model[0].bias[3], (a[0].bias[3] + b[0].bias[3]) / 2)
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 3])
def test_after_an_error_nothing_has_changed(error, at):
    a, b, model = line(with_batch_norm, 0.5)
    model.train()
    before = copy.deepcopy(model.state_dict())

    def broken(done, _total):
        if done == at:
            raise error("on purpose")

    with pytest.raises(error, match="on purpose"):
        rf.repair(model, a, b, images(100).split(50), passes=2, progress=broken)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not a.training
    assert sum(len(m._forward_hooks) for one in (a, b, model) for m in one.modules()) == 0


def test_mistakes_are_named():
    a, b, model = line(mlp, 0.5)
    with pytest.raises(ValueError, match="batches is empty"):
        rf.repair(model, a, b, [])
    with pytest.raises(ValueError, match="one of the ends"):
        rf.repair(a, a, b, [vectors(10)])
    with pytest.raises(TypeError, match=r"model_a is a torch\.nn\.Module"):
        rf.repair(model, a.state_dict(), b, [vectors(10)])
    with pytest.raises(ValueError, match="gone through again"):
        rf.repair(model, a, b, iter([vectors(10)]), passes=2)
    with pytest.raises(ValueError, match="1 or more"):
        rf.repair(model, a, b, [vectors(10)], passes=0)
    with pytest.raises(ValueError, match="a place on the line"):
        rf.repair(model, a, b, [vectors(10)], t=5)
    with pytest.raises(rf.DataError, match="batch 0 holds 60 entries that are NaN or infinite"):
        rf.repair(model, a, b, [vectors(10) * float("inf")])
    with pytest.raises(rf.ParamsError, match="has no layer"):
        rf.repair(model, a, nn.Sequential(nn.Flatten()), [vectors(10)])


def test_progress_counts_all_passes():
    a, b, model = line(mlp, 0.5)
    seen = []
    x = vectors(100).split(50)
    rf.repair(model, a, b, x, passes=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 6) for n in range(1, 7)]


@pytest.mark.slow
def test_midpoint_accuracy_rises_on_digits():
    """Deep narrow networks on scikit-learn's digits, matched: averaging loses variance, and REPAIR gives it back."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = torch.tensor(digits.data / 16, dtype=torch.float32)
    y = torch.tensor(digits.target)
    widths = (64, 48, 48, 48, 48, 48, 10)

    def trained(seed):
        model = mlp(seed, widths)
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        for _ in range(20):
            for rows in torch.randperm(len(x)).split(150):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
        return model

    def accuracy(model):
        with torch.no_grad():
            return (model(x).argmax(1) == y).double().mean().item()

    spec = rf.specs.mlp([f"{2 * i}" for i in range(6)])
    rises = []
    for seed in (0, 2):
        a, b, model = trained(seed), trained(seed + 1), mlp(99, widths)
        matching = rf.activation_matching(spec, a, b, x.split(300))
        b.load_state_dict(rf.apply_permutation(spec, matching.permutation, b.state_dict()))
        model.load_state_dict(rf.interpolate(a.state_dict(), b.state_dict(), 0.5))
        before = accuracy(model)
        rf.repair(model, a, b, x.split(300))
        assert accuracy(a) > 0.95
        rises.append(accuracy(model) - before)
    assert min(rises) > 0.0, rises
    assert sum(rises) / len(rises) > 0.05, rises
