"""BatchNorm statistics measured again, against the definition."""

import pytest
import torch
from torch import nn

import rebasin_fast as rf


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, momentum=0.3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(48, 4), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2),
    )  # fmt: skip


def batches(count=3, size=8):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(size, 2, 6, 6, generator=generator) * 3 + 1 for _ in range(count)]


def statistics(model):
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def test_statistics_are_those_of_the_batches(model):
    data = batches()
    rf.reset_batch_norm(model, data)
    first, second = model[1], model[6]
    features = [model[0](x).transpose(0, 1).flatten(1) for x in data]
    torch.testing.assert_close(first.running_mean, torch.stack([f.mean(1) for f in features]).mean(0))
    torch.testing.assert_close(first.running_var, torch.stack([f.var(1) for f in features]).mean(0))
    # The second layer sees the first one normalise with each batch's own statistics, and no dropout.
    normed = [nn.functional.batch_norm(model[0](x), None, None, first.weight, first.bias, True) for x in data]
    inputs = [model[5](nn.functional.relu(x).flatten(1)) for x in normed]
    torch.testing.assert_close(second.running_mean, torch.stack([f.mean(0) for f in inputs]).mean(0))
    torch.testing.assert_close(second.running_var, torch.stack([f.var(0) for f in inputs]).mean(0))


def test_what_was_there_before_does_not_matter(model):
    rf.reset_batch_norm(model, batches())
    expected = statistics(model)
    model[1].running_mean.fill_(1e6)
    model[1].running_var.fill_(1e-9)
    rf.reset_batch_norm(model, iter(batches()))
    assert all(torch.equal(buffer, expected[name]) for name, buffer in statistics(model).items())


def test_all_else_is_left_as_it_was(model):
    model.train()
    model[3].eval()
    flags = [module.training for module in model.modules()]
    params = [p.clone() for p in model.parameters()]
    rf.reset_batch_norm(model, batches())
    assert [module.training for module in model.modules()] == flags
    assert (model[1].momentum, model[6].momentum) == (0.3, 0.1)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), params, strict=True))
    assert all(p.grad is None for p in model.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_nothing_has_changed(model, error):
    model.train()
    before = statistics(model)

    def broken():
        yield from batches(2)
        raise error("the loader died")

    with pytest.raises(error, match="the loader died"):
        rf.reset_batch_norm(model, broken())
    assert all(torch.equal(buffer, before[name]) for name, buffer in statistics(model).items())
    assert all(module.training for module in model.modules())
    assert model[1].momentum == 0.3


def test_nothing_to_measure_or_nothing_to_measure_with(model):
    before = statistics(model)
    with pytest.raises(ValueError, match="batches is empty"):
        rf.reset_batch_norm(model, [])
    assert all(torch.equal(buffer, before[name]) for name, buffer in statistics(model).items())
    for plain in (nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False), nn.InstanceNorm1d(2)):
        with pytest.raises(ValueError, match="no BatchNorm layer with running statistics"):
            rf.reset_batch_norm(plain, batches())


def test_batches_of_every_form(model):
    rf.reset_batch_norm(model, batches())
    expected = statistics(model)
    labels = torch.zeros(8)
    forms = [
        [(x, labels) for x in batches()],
        [[x, labels] for x in batches()],
        [{"input": x} for x in batches()],
    ]
    for form in forms:
        rf.reset_batch_norm(model, form)
        assert all(torch.equal(buffer, expected[name]) for name, buffer in statistics(model).items())


def test_a_model_without_parameters():
    layer = nn.BatchNorm1d(3, affine=False)
    x = torch.randn(10, 3)
    rf.reset_batch_norm(layer, [x])
    torch.testing.assert_close(layer.running_mean, x.mean(0))


def test_parameters_in_the_place_of_a_model():
    with pytest.raises(TypeError, match=r"model is a torch\.nn\.Module, got dict"):
        rf.reset_batch_norm({}, [])


def test_a_short_last_batch_counts_as_much_as_it_holds(model):
    whole, part = batches(2, 20)
    short = part[:2]
    rf.reset_batch_norm(model, [whole, short])
    features = [model[0](x).transpose(0, 1).flatten(1) for x in (whole, short)]
    shares = [f.shape[1] / (features[0].shape[1] + features[1].shape[1]) for f in features]
    assert shares[1] == pytest.approx(2 / 22)
    for found, of in ((model[1].running_mean, torch.mean), (model[1].running_var, torch.var)):
        expected = sum(share * of(f, 1) for share, f in zip(shares, features, strict=True))
        torch.testing.assert_close(found, expected)


class TwoHeads(nn.Module):
    """Uses one of two heads, and one layer twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.shared = (nn.BatchNorm1d(3, momentum=m) for m in (0.1, None, 0.2))

    def forward(self, x):
        return self.shared(input=self.first(self.shared(x)))


def test_layers_that_do_not_run_keep_their_statistics():
    torch.manual_seed(0)
    model = TwoHeads()
    data = [torch.randn(10, 3) * 2 + 1 for _ in range(3)]
    model.second(data[1] * 5)
    before = {name: buffer.clone() for name, buffer in model.second.named_buffers()}
    rf.reset_batch_norm(model, data)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.second.named_buffers())
    assert (model.first.momentum, model.second.momentum, model.shared.momentum) == (0.1, None, 0.2)
    assert model.shared.num_batches_tracked == 6
    assert model.shared.running_mean.abs().min() > 0.1
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_no_layer_ran():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return x

    model = Idle()
    model.norm.running_mean.fill_(7.0)
    with pytest.raises(rf.errors.DataError, match=r"none of the 1 BatchNorm layers"):
        rf.reset_batch_norm(model, batches())
    assert model.norm.running_mean.eq(7.0).all()
